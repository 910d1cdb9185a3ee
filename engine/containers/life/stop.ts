import { absenceOf } from '@cleat/extensions/absence';
import { CleatError, invalidParameter, isClass, messageOf, notModified } from '@cleat/protocol/errors';
import { goTime, nowNanos } from '../../time.js';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { killContainer, sendSignal, startSettled, stopSignal, within } from './kill.js';
import { keepRelease, releaseRun } from './release.js';
import { removeLocked } from './remove.js';
import { parseSignal } from './signals.js';
import { checkThere, startLocked } from './start.js';
import { startByPolicy } from './start-by-policy.js';

const defaultTimeoutSeconds = 10;

/** `docker stop`: the stop signal, some time, then SIGKILL. `timeout` in seconds, negative: for ever. */
export async function stopContainer(
  room: Room,
  container: Container,
  options: { timeout?: number; signal?: string; ref: string },
): Promise<void> {
  const signal = options.signal ? givenSignal(options.signal, options.ref) : stopSignal(container);
  await startSettled(container);
  if (!container.running) throw notModified('container is already stopped');
  const timeout = options.timeout ?? container.record.config.StopTimeout ?? defaultTimeoutSeconds;
  const exited = container.waiters.until('not-running');
  try {
    container.restarts.cancelled = true;
    await sendSignal(room, container, signal);
    if (container.record.state.status === 'restarting') await settleRestarting(room, container);
    else if (!(await within(exited, timeout * 1000))) await killIfRunning(room, container);
  } catch (error) {
    if (!container.running) return;
    throw new CleatError('System', `cannot stop container: ${options.ref}: ${messageOf(error)}`, { cause: error });
  }
  room.emit(container, 'stop');
  // The network and the mounts are free when this returns.
  await container.lock.run(() => {});
}

function givenSignal(text: string, ref: string) {
  try {
    return parseSignal(text);
  } catch (cause) {
    throw invalidParameter(`cannot stop container: ${ref}: ${messageOf(cause)}`, { cause });
  }
}

async function killIfRunning(room: Room, container: Container): Promise<void> {
  try {
    await killContainer(room, container);
  } catch (error) {
    if (!isClass(error, 'Conflict') || container.running) throw error;
  }
}

/** A container that only waits for its restart, or for what it needs for it, is stopped by not restarting it. */
export async function settleRestarting(room: Room, container: Container): Promise<void> {
  const waited = container.restarts.waitingFor !== undefined;
  container.restarts.cancel();
  await container.lock.run(async () => {
    const { state, hostConfig } = container.record;
    if (state.status !== 'restarting') return;
    state.status = 'exited';
    if (waited) state.error = '';
    // What a run before the engine's start left. Where the engine stops, the next one sees to it.
    if (state.run && !container.released && !room.stopping) keepRelease(room, container, releaseRun(room, container));
    if (state.finishedAt.startsWith('0001')) state.finishedAt = goTime(nowNanos());
    container.note();
    container.waiters.settle('not-running', { StatusCode: state.exitCode });
    if (hostConfig.AutoRemove) await removeLocked(room, container, { volumes: true });
  });
}

/** `docker restart`: stops it if it runs, then starts it; `--rm` does not remove it in between. */
export async function restartContainer(
  room: Room,
  container: Container,
  options: { timeout?: number; signal?: string; ref: string },
): Promise<void> {
  container.restartRequested = true;
  const waited = container.restarts.waitingFor !== undefined;
  try {
    while (!(await startAnew(room, container, options)));
  } catch (error) {
    // It is told, and goes on waiting.
    if (waited && absenceOf(error)) startByPolicy(room, container);
    if (!(error instanceof CleatError)) throw error;
    const { class: kind, details, message } = error;
    throw new CleatError(kind, `Cannot restart container ${options.ref}: ${message}`, { cause: error, details });
  } finally {
    container.restartRequested = false;
  }
  room.emit(container, 'restart');
}

/** @returns whether it was started: a start that was under way meanwhile has to be stopped first, too */
async function startAnew(
  room: Room,
  container: Container,
  options: { timeout?: number; signal?: string; ref: string },
): Promise<boolean> {
  if (container.running) await stopContainer(room, container, options);
  return await container.lock.run(async () => {
    if (container.running) return false;
    checkThere(container);
    container.restarts.reset();
    container.record.manuallyStopped = false;
    await startLocked(room, container);
    return true;
  });
}
