import { constants } from 'node:os';
import { conflict, isClass, messageOf, systemError } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { longestTimerMs } from '../../time.js';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { killUnwatched } from './exit.js';
import { parseSignal } from './signals.js';
import { settleRestarting } from './stop.js';

const killWaitMs = 10_000;
const lastWaitMs = 2_000;

export function notRunning(id: string) {
  return conflict(`container ${id} is not running`);
}

/** The signal that asks this container to stop. */
export function stopSignal(container: Container): number {
  return container.record.config.StopSignal
    ? parseSignal(container.record.config.StopSignal)
    : constants.signals.SIGTERM;
}

/**
 * Sends a signal, with the event. What ends a container by a user's wish also ends its restarts, and wakes a paused
 * one, as Docker does. @throws Conflict when it does not run
 */
export async function sendSignal(room: Room, container: Container, signal: number): Promise<void> {
  await container.signals.run(() => sendLocked(room, container, signal));
}

async function sendLocked(room: Room, container: Container, signal: number): Promise<void> {
  const { id, record } = container;
  if (!container.running) throw notRunning(id);
  const ending = signal === constants.signals.SIGKILL || signal === stopSignal(container);
  if (ending) container.restarts.cancelled = true;
  record.manuallyStopped = !room.stopping;
  container.note();
  if (record.state.status === 'restarting') return;
  const paused = record.state.status === 'paused' || record.state.thaw === true;
  try {
    await room.runtimes.get(record.runtime).kill(id, signal);
  } catch (error) {
    // It has ended in this moment; the exit is being dealt with.
    if (!isGone(error)) {
      throw systemError(`Cannot kill container ${id}: ${messageOf(error)}`, { cause: error });
    }
  }
  if (paused && ending) await wake(room, container);
  room.emit(container, 'kill', { signal: String(signal) });
}

function isGone(error: unknown): boolean {
  return isClass(error, 'NotFound') || (isClass(error, 'Conflict') && error.details?.reason === 'not-running');
}

async function wake(room: Room, { id, record }: Container): Promise<void> {
  try {
    await room.runtimes.get(record.runtime).resume(id);
  } catch (error) {
    // The signal may have ended it, frozen as it was.
    room.log.debug('could not resume a paused container after a signal', { container: id, error: messageOf(error) });
  }
}

/** A process may print, and be signalled for it, before the runtime's start has returned: the start is waited for. */
export async function startSettled(container: Container): Promise<void> {
  if (container.starting && !container.running) await container.lock.run(() => {});
}

/** `docker kill`: SIGKILL waits for the end. @throws Conflict, InvalidParameter, System */
export async function killContainer(room: Room, container: Container, signal = ''): Promise<void> {
  const number = signal === '' ? constants.signals.SIGKILL : parseSignal(signal);
  await startSettled(container);
  if (!container.running) throw notRunning(container.id);
  if (number !== constants.signals.SIGKILL) {
    await sendSignal(room, container, number);
    return;
  }
  const exited = container.waiters.until('not-running');
  await sendSignal(room, container, number);
  if (container.record.state.status === 'restarting') {
    await settleRestarting(room, container);
    return;
  }
  if (await within(exited, killWaitMs)) return;
  killUnwatched(container);
  if (await within(exited, lastWaitMs)) return;
  throw systemError('tried to kill container, but did not receive an exit event');
}

/** Whether `work` settled within `ms` milliseconds (negative: however long it takes). */
export async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  if (ms < 0) return await work.then(() => true);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.min(ms, longestTimerMs));
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
