import { endsWithin } from '@cleat/protocol/async/deadline';
import { CleatError, invalidParameter, isClass, messageOf, notModified } from '@cleat/protocol/errors';
import { parseSignal } from '../../signals.js';
import type { Context } from '../context.js';
import { settleRestarting } from '../life/lifecycle.js';
import type { Container } from '../state/container.js';
import { sendSignal, stopSignal } from '../steps/signal.js';
import { killContainer, startSettled } from './kill.js';

const defaultTimeoutSeconds = 10;

/** `docker stop`: the stop signal, some time, then SIGKILL. `timeout` in seconds, negative: for ever. */
export async function stopContainer(
  context: Context,
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
    await sendSignal(context, container, signal);
    if (container.record.state.status === 'restarting') await settleRestarting(context, container);
    else if (!(await endsWithin(timeout * 1000, exited))) await killIfRunning(context, container);
  } catch (error) {
    if (!container.running) return;
    throw new CleatError('System', `cannot stop container: ${options.ref}: ${messageOf(error)}`, { cause: error });
  }
  context.emit(container, 'stop');
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

async function killIfRunning(context: Context, container: Container): Promise<void> {
  try {
    await killContainer(context, container);
  } catch (error) {
    if (!isClass(error, 'Conflict') || container.running) throw error;
  }
}
