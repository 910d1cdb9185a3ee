import { absenceOf } from '@cleat/extensions/absence';
import { CleatError } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import { checkThere, startByPolicy, startLocked } from '../life/lifecycle.js';
import type { Container } from '../state/container.js';
import { stopContainer } from './stop.js';

/** `docker restart`: stops it if it runs, then starts it; `--rm` does not remove it in between. */
export async function restartContainer(
  context: Context,
  container: Container,
  options: { timeout?: number; signal?: string; ref: string },
): Promise<void> {
  container.restartRequested = true;
  const waited = container.restarts.waitingFor !== undefined;
  try {
    while (!(await startAnew(context, container, options)));
  } catch (error) {
    // It is told, and goes on waiting.
    if (waited && absenceOf(error)) startByPolicy(context, container);
    if (!(error instanceof CleatError)) throw error;
    const { class: kind, details, message } = error;
    throw new CleatError(kind, `Cannot restart container ${options.ref}: ${message}`, { cause: error, details });
  } finally {
    container.restartRequested = false;
  }
  context.emit(container, 'restart');
}

/** @returns whether it was started: a start that was under way meanwhile has to be stopped first, too */
async function startAnew(
  context: Context,
  container: Container,
  options: { timeout?: number; signal?: string; ref: string },
): Promise<boolean> {
  if (container.running) await stopContainer(context, container, options);
  return await container.lock.run(async () => {
    if (container.running) return false;
    checkThere(container);
    container.restarts.reset();
    container.record.manuallyStopped = false;
    await startLocked(context, container);
    return true;
  });
}
