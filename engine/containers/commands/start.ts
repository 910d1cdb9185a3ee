import { conflict, notModified } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import { checkThere, startLocked } from '../life/lifecycle.js';
import type { Container } from '../state/container.js';

/** @throws NotModified, Conflict: what `docker start` may be told without trying */
export function checkStartable(container: Container): void {
  const { status } = container.record.state;
  if (status === 'paused') throw conflict('cannot start a paused container, try unpause instead');
  if (status === 'running' || status === 'restarting') throw notModified('container is already running');
  checkThere(container);
}

/** `docker start`: waits for whatever else happens to this container, and for nothing of another. */
export async function startContainer(context: Context, container: Container): Promise<void> {
  if (!container.restarts.starting) checkStartable(container);
  await container.lock.run(async () => {
    // A container that waits for an extension is tried at once; if it fails for the same reason, it goes on waiting.
    const byPolicy = container.restarts.starting;
    if (!byPolicy || container.record.state.status !== 'restarting') checkStartable(container);
    container.restarts.reset();
    container.record.manuallyStopped = false;
    container.record.restartCount = 0;
    try {
      await startLocked(context, container, { byPolicy });
    } finally {
      if (container.record.state.status !== 'restarting') container.restarts.release();
    }
  });
}
