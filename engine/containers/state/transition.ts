import type { ContainerStatus } from '@cleat/protocol/api/container';
import { systemError } from '@cleat/protocol/errors';
import { goTime, zeroTime } from '../../time.js';
import { type Announcer, announce } from './announce.js';
import type { Container } from './container.js';
import type { Life } from './life.js';
import type { ContainerRecord } from './record.js';

/** Events in a container's life. */
export type Change =
  /** Its process runs. `at`: RFC 3339 with nanoseconds */
  | { type: 'started'; pid: number; at: string }
  /** A start came to nothing; there is no process. */
  | { type: 'start-failed'; exitCode: number; error: string }
  /** Its restart policy wants it to run. */
  | { type: 'start-due' }
  /** The start that is due waits for an extension. `error`: a sentence that says for which, and why */
  | { type: 'start-waiting'; error: string }
  /** The start that was due is not wanted. `error`: what stays known; absent: as it is. `at`: as in `ended` */
  | { type: 'start-given-up'; error?: string; at: bigint }
  | { type: 'paused' }
  | { type: 'unpaused' }
  /**
   * Its process has ended. `exitCode`: 128 + n after signal n. `at`: nanoseconds since the epoch. `ranMs`: how long it
   * ran. `restarts`: its restart policy wants it to run again. `late`: the end was noticed later; its events carry this
   * time
   */
  | {
      type: 'ended';
      exitCode: number;
      error: string;
      oomKilled: boolean;
      at: bigint;
      ranMs: number;
      restarts: boolean;
      late?: Date;
    }
  /** It ran when the engine last looked, and nobody saw its end. */
  | { type: 'end-missed'; exitCode: number; error: string; at: bigint }
  | { type: 'removing' }
  /** Its removal came to nothing. */
  | { type: 'removal-failed'; error: string };

/** In which states each change may come. Anything else is a mistake of ours, and changes nothing. */
const allowed: Readonly<Record<Change['type'], readonly ContainerStatus[]>> = {
  started: ['created', 'exited', 'restarting'],
  'start-failed': ['created', 'exited', 'restarting'],
  'start-due': ['created', 'exited', 'restarting'],
  'start-waiting': ['restarting'],
  'start-given-up': ['restarting'],
  paused: ['running'],
  unpaused: ['paused'],
  ended: ['running', 'paused'],
  'end-missed': ['running', 'paused'],
  removing: ['created', 'exited', 'dead'],
  'removal-failed': ['removing'],
};

/**
 * The one place that changes where a container is in its life: checks that the change may come now, puts it on record,
 * and publishes the events that tell of it. The caller holds the container's lock (for `paused` and `unpaused`: its
 * freezer), and has done the work.
 * @throws System for a change that cannot come in this state
 */
export function transition(context: Announcer, container: Container, change: Change): void {
  const { record } = container;
  if (!allowed[change.type].includes(record.state.status)) {
    throw systemError(`container ${record.id} is ${record.state.status}: "${change.type}" cannot happen to it`);
  }
  const wasDue = record.state.status === 'restarting';
  Object.assign(record.state, lifeAfter(record, change));
  if (change.type === 'started') record.startedBefore = true;
  if (change.type === 'ended' && change.restarts) record.restartCount++;
  context.events.together(() => publish(context, container, change, wasDue));
}

/** The fields of its life that the change sets; the others stay. */
function lifeAfter({ state, startedBefore }: ContainerRecord, change: Change): Partial<Life> {
  switch (change.type) {
    case 'started':
      return { status: 'running', pid: change.pid, exitCode: 0, error: '', oomKilled: false, startedAt: change.at };
    case 'start-failed':
      return {
        status: startedBefore ? 'exited' : 'created',
        pid: 0,
        exitCode: change.exitCode,
        error: change.error,
      };
    case 'start-due':
      return { status: 'restarting', pid: 0 };
    case 'start-waiting':
      return { error: change.error };
    case 'start-given-up':
      return {
        status: 'exited',
        error: change.error ?? state.error,
        finishedAt: state.finishedAt === zeroTime ? goTime(change.at) : state.finishedAt,
      };
    case 'paused':
      return { status: 'paused' };
    case 'unpaused':
      return { status: 'running' };
    case 'ended':
      return {
        status: change.restarts ? 'restarting' : 'exited',
        pid: 0,
        exitCode: change.exitCode,
        error: change.error,
        oomKilled: change.oomKilled,
        finishedAt: goTime(change.at),
      };
    case 'end-missed':
      return {
        status: 'exited',
        pid: 0,
        exitCode: change.exitCode,
        error: change.error,
        finishedAt: goTime(change.at),
      };
    case 'removing':
      return { status: 'removing' };
    case 'removal-failed':
      return { status: 'dead', error: change.error };
  }
}

/** Publishes the events that belong to the change, and writes the record with them. @param wasDue a start was */
function publish(context: Announcer, container: Container, change: Change, wasDue: boolean): void {
  switch (change.type) {
    case 'started':
      announce(context, container, 'start');
      return;
    case 'ended': {
      if (change.oomKilled) context.emit(container, 'oom', {}, change.late);
      const execDuration = String(Math.max(0, Math.floor(change.ranMs / 1000)));
      announce(context, container, 'die', { exitCode: String(change.exitCode), execDuration }, change.late);
      return;
    }
    case 'end-missed':
      announce(context, container, 'die', { exitCode: String(change.exitCode) });
      return;
    case 'paused':
      context.emit(container, 'pause');
      container.note();
      return;
    case 'unpaused':
      context.emit(container, 'unpause');
      container.note();
      return;
    case 'start-failed':
    case 'start-given-up':
      // Docker says nothing, so that who follows its events takes the container for one that is about to start.
      if (wasDue) context.emit(container, 'restart_given_up', { exitCode: String(container.record.state.exitCode) });
      container.note();
      return;
    default:
      container.note();
  }
}
