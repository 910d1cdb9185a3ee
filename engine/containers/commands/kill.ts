import { constants } from 'node:os';
import { endsWithin } from '@cleat/protocol/async/deadline';
import { systemError } from '@cleat/protocol/errors';
import { parseSignal } from '../../signals.js';
import type { Context } from '../context.js';
import { settleRestarting } from '../life/lifecycle.js';
import type { Container } from '../state/container.js';
import { killUnwatched, notRunning, sendSignal } from '../steps/signal.js';

const killWaitMs = 10_000;
const lastWaitMs = 2_000;

/** A process may print, and be signalled for it, before the runtime's start has returned: the start is waited for. */
export async function startSettled(container: Container): Promise<void> {
  if (container.starting && !container.running) await container.lock.run(() => {});
}

/** `docker kill`: SIGKILL waits for the end. @throws Conflict, InvalidParameter, System */
export async function killContainer(context: Context, container: Container, signal = ''): Promise<void> {
  const number = signal === '' ? constants.signals.SIGKILL : parseSignal(signal);
  await startSettled(container);
  if (!container.running) throw notRunning(container.id);
  if (number !== constants.signals.SIGKILL) {
    await sendSignal(context, container, number);
    return;
  }
  const exited = container.waiters.until('not-running');
  await sendSignal(context, container, number);
  if (container.record.state.status === 'restarting') {
    await settleRestarting(context, container);
    return;
  }
  if (await endsWithin(killWaitMs, exited)) return;
  killUnwatched(container);
  if (await endsWithin(lastWaitMs, exited)) return;
  throw systemError('tried to kill container, but did not receive an exit event');
}
