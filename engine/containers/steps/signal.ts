import { constants } from 'node:os';
import { isAlive } from '@cleat/linux/process/identity';
import { conflict, isClass, messageOf, systemError } from '@cleat/protocol/errors';
import { parseSignal } from '../../signals.js';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';

export function notRunning(id: string) {
  return conflict(`container ${id} is not running`);
}

export function restarting(id: string) {
  return conflict(`Container ${id} is restarting, wait until the container is running`);
}

/** The signal that asks this container to stop. */
export function stopSignal(container: Container): number {
  return container.record.config.StopSignal
    ? parseSignal(container.record.config.StopSignal)
    : constants.signals.SIGTERM;
}

/**
 * Sends a signal, with the event. What ends a container because a user asks for it also ends its restarts, and wakes a paused
 * one, as Docker does. @throws Conflict when it does not run
 */
export async function sendSignal(context: Context, container: Container, signal: number): Promise<void> {
  await container.signals.run(() => sendLocked(context, container, signal));
}

async function sendLocked(context: Context, container: Container, signal: number): Promise<void> {
  const { id, record } = container;
  if (!container.running) throw notRunning(id);
  const ending = signal === constants.signals.SIGKILL || signal === stopSignal(container);
  if (ending) container.restarts.cancelled = true;
  record.manuallyStopped = !context.stopping;
  container.note();
  if (record.state.status === 'restarting') return;
  const paused = record.state.status === 'paused' || record.state.thaw === true;
  try {
    await context.runtimes.get(record.runtime).kill(id, signal);
  } catch (error) {
    // It has ended in this moment; the exit is being dealt with.
    if (!isGone(error)) {
      throw systemError(`Cannot kill container ${id}: ${messageOf(error)}`, { cause: error });
    }
  }
  if (paused && ending) await wake(context, container);
  context.emit(container, 'kill', { signal: String(signal) });
}

function isGone(error: unknown): boolean {
  return isClass(error, 'NotFound') || (isClass(error, 'Conflict') && error.details?.reason === 'not-running');
}

async function wake(context: Pick<Context, 'log' | 'runtimes'>, { id, record }: Container): Promise<void> {
  try {
    await context.runtimes.get(record.runtime).resume(id);
  } catch (error) {
    // The signal may have ended it, frozen as it was.
    context.log.debug('could not resume a paused container after a signal', { container: id, error: messageOf(error) });
  }
}

/** Kills the process of a container that has lost its conmon: nobody would notice its end, and its output goes nowhere. */
export function killUnwatched(container: Container): void {
  const init = container.record.state.run?.init;
  if (!init || !isAlive(init)) return;
  try {
    process.kill(init.pid, 'SIGKILL');
  } catch {
    // ESRCH: it ended in this moment, which is what we want.
  }
}
