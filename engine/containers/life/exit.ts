import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readExit, wasOomKilled } from '@cleat/linux/conmon/exits';
import { isAlive } from '@cleat/linux/process/identity';
import { messageOf } from '@cleat/protocol/errors';
import { goTime, nowNanos, parseTime, toNanos } from '../../time.js';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { announce } from './announce.js';
import { stopHealthChecks } from './health.js';
import { keepRelease, releaseRun } from './release.js';
import { removeLocked } from './remove.js';
import { wantsRestart } from './restart-policy.js';
import type { Run } from './run.js';
import { startByPolicy } from './start-by-policy.js';

export interface Exit {
  /** 128 + n after signal n. */
  code: number;
  at: Date;
  /** Why, when it was not its own end. */
  error?: string;
}

/** An end that is noticed so much later happened while nobody looked. */
const lateMs = 2000;
/** After SIGKILL, as the shell counts. */
const killedCode = 137;

/** Deals with the end of a run once its conmon has ended. */
export function watchMonitor(room: Room, container: Container, run: Run, ended: Promise<void>): void {
  ended
    .then(() => monitorEnded(room, container, run))
    .catch((error: unknown) => {
      room.log.error('the end of a conmon could not be dealt with', {
        container: container.id,
        error: messageOf(error),
      });
    });
}

/** conmon is gone: either it left an exit file, or somebody killed it and the container runs unwatched. */
export function monitorEnded(room: Room, container: Container, run: Run): void {
  if (run.exiting || room.closed) return;
  const exit = readExit(room.paths.exits(), container.id);
  if (exit) {
    containerExited(room, container, run, exit);
    return;
  }
  room.log.warn('conmon was killed; its container is killed too', { container: container.id });
  killUnwatched(container);
  containerExited(room, container, run, {
    code: killedCode,
    at: new Date(),
    error: 'conmon, which monitored the container, was killed: the container was killed too',
  });
}

/** Nobody would notice its end, and its output goes nowhere: a defined state is better. */
export function killUnwatched(container: Container): void {
  const init = container.record.state.run?.init;
  if (!init || !isAlive(init)) return;
  try {
    process.kill(init.pid, 'SIGKILL');
  } catch {
    // ESRCH: it ended in this moment, which is what we want.
  }
}

/** Records an end, tells everybody, and clears up behind it. Once per run, however often it is noticed. */
export function containerExited(room: Room, container: Container, run: Run, exit: Exit): void {
  // Once this engine has let go, the next one deals with it.
  if (run.exiting || room.closed) return;
  run.exiting = true;
  container.lock
    .run(() => finish(room, container, run, exit))
    .catch((error: unknown) => {
      room.log.error('dealing with the end of a container failed', {
        container: container.id,
        error: messageOf(error),
      });
    });
}

async function finish(room: Room, container: Container, run: Run, exit: Exit): Promise<void> {
  const { id, record } = container;
  const { state } = record;
  if (container.run !== run) return;
  // A signal that is being sent has its event first.
  await container.signals.run(() => {});
  const oomKilled = wasOomKilled(room.paths.bundle(id));
  stopHealthChecks(container);
  room.spool.ended(id);
  container.ended();
  // An exit file's time is coarse, and older than the start's event at times: it counts where the end is news of old.
  const late = Date.now() - exit.at.getTime() > lateMs;
  const at = late ? toNanos(exit.at) : nowNanos();
  const ranMs = Number((at - (parseTime(state.startedAt) ?? 0n)) / 1_000_000n);
  const restart = !container.restarts.cancelled && !room.stopping && wantsRestart(record, exit.code);
  Object.assign(state, {
    status: restart ? 'restarting' : 'exited',
    pid: 0,
    exitCode: exit.code,
    error: exit.error ?? '',
    oomKilled,
    finishedAt: goTime(at),
  });
  if (restart) record.restartCount++;
  const eventTime = late ? exit.at : undefined;
  if (oomKilled) room.emit(container, 'oom', {}, eventTime);
  const execDuration = String(Math.max(0, Math.floor(ranMs / 1000)));
  announce(room, container, 'die', { exitCode: String(exit.code), execDuration }, eventTime);
  rmSync(join(room.paths.exits(), id), { force: true });
  const released = releaseRun(room, container);
  keepRelease(room, container, released);
  // Whoever waited may next remove the network that it was in, and looks for what its volumes' drivers bring home on
  // Unmount. One that is restarted stays in its networks.
  if (!restart) await Promise.all([released.detached, released.unmounted]);
  const result = { StatusCode: exit.code, ...(exit.error ? { Error: { Message: exit.error } } : {}) };
  container.waiters.settle('next-exit', result);
  container.waiters.settle('not-running', result);
  if (!restart && record.hostConfig.AutoRemove && !container.restartRequested) {
    await removeLocked(room, container, { volumes: true });
  }
  // The next start waits for the rest; nobody else has to.
  if (restart) scheduleRestart(room, container, ranMs);
}

/** After Docker's back-off; until then it counts as running, and a stop or a removal cancels it. */
function scheduleRestart(room: Room, container: Container, ranMs: number): void {
  container.restarts.schedule(ranMs, () => {
    container.restarts.fired();
    if (!container.restarts.cancelled && container.record.state.status === 'restarting') startByPolicy(room, container);
  });
}
