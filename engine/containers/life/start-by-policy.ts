import { setTimeout as sleep } from 'node:timers/promises';
import { type Absence, absenceOf } from '@cleat/extensions/absence';
import { messageOf } from '@cleat/protocol/errors';
import { abortable } from '../../async/abortable.js';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { type Need, needsOf, needText } from './needs.js';
import { Patience } from './patience.js';
import { startLocked } from './start.js';

/** Between two starts that failed although what they needed had answered. */
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** How often a runtime's binary is looked for. */
const runtimeMs = 1_000;

/**
 * Starts a container, in the background, because its restart policy wants it to run. One whose extension is not there
 * (yet), or hangs, waits for it: visibly, without burning its restarts, and without end, unless somebody stops or removes
 * it or takes its policy away. Whatever else fails is told and not tried again, as in Docker (moby `daemon/monitor.go`).
 */
export function startByPolicy(room: Room, container: Container): void {
  const { record } = container;
  const signal = container.restarts.begin();
  if (record.state.status !== 'restarting') {
    record.state.status = 'restarting';
    container.note();
  }
  // The signal was meant for a start on its way, too.
  signal.addEventListener('abort', () => container.starting?.abort(), { once: true });
  startWhenPossible(room, container, signal)
    .catch((error: unknown) => {
      if (signal.aborted) return;
      room.log.warn('a container could not be started again', { container: container.id, error: messageOf(error) });
    })
    .finally(() => container.restarts.done(signal));
}

async function startWhenPossible(room: Room, container: Container, signal: AbortSignal): Promise<void> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    for (const need of await needsOf(room, container)) await presence(room, container, need, signal);
    await runtimePresence(room, container, signal);
    // Clearing up behind the last run may hang on an extension: it is waited for where a stop is not held up by it.
    if (container.released) await abortable(container.released.done, signal);
    const absence = await container.lock.run(() => attempt(room, container, signal));
    if (!absence) return;
    await sleep(pauseMs, undefined, { signal });
  }
}

/** @returns the extension that was lost in the middle of it, if one was */
async function attempt(room: Room, container: Container, signal: AbortSignal): Promise<Absence | undefined> {
  // Stopped, or started by a user, while this waited for its turn.
  if (signal.aborted || container.record.state.status !== 'restarting') return undefined;
  try {
    await startLocked(room, container, { byPolicy: true });
    return undefined;
  } catch (error) {
    const absence = absenceOf(error);
    if (!absence || signal.aborted) throw error;
    waitsFor(room, container, absence, messageOf(error));
    return absence;
  }
}

async function presence(room: Room, container: Container, need: Need, signal: AbortSignal): Promise<void> {
  const patience = new Patience((reason) => {
    if (!signal.aborted) waitsFor(room, container, need, reason);
  });
  try {
    await room.extensions.arrival(need.kind, need.name, {
      signal,
      by: `container ${container.record.name}`,
      onReason: (reason) => patience.hear(reason),
    });
  } finally {
    patience.end();
  }
}

async function runtimePresence(room: Room, container: Container, signal: AbortSignal): Promise<void> {
  const { runtime } = container.record;
  for (;;) {
    const missing = room.runtimes.missing(runtime);
    if (missing === undefined) return;
    waitsFor(room, container, { kind: 'runtime', name: runtime }, missing);
    await sleep(runtimeMs, undefined, { signal });
  }
}

/** In the record for `inspect`; once per extension also as an event, and in the engine's log. */
function waitsFor(room: Room, container: Container, need: Need, reason: string): void {
  const { state, name } = container.record;
  const text = `waiting for the ${needText(need)}: ${reason}`;
  if (state.error === text) return;
  state.error = text;
  container.note();
  const key = needText(need);
  if (container.restarts.waitingFor === key) return;
  container.restarts.waitingFor = key;
  room.emit(container, 'waiting', { kind: need.kind, extension: need.name });
  room.log.warn('a container waits for an extension', { container: container.id, name, extension: need.name, reason });
}
