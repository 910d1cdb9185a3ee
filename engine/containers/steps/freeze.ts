import { messageOf } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';

/**
 * Freezing a container and letting it go on are on record before they are done (`state.thaw`), and taken back by the
 * next engine when this one is killed in between: the caller was not answered.
 */

/**
 * Keeps the processes of a running container still while `work` runs. A user may pause and unpause it meanwhile; what
 * they asked for last holds in the end.
 */
export async function whileFrozen<T>(
  context: Pick<Context, 'log' | 'runtimes'>,
  container: Container,
  work: () => Promise<T>,
): Promise<T> {
  const { run } = container;
  await container.freezer.run(async () => {
    container.freezes++;
    if (container.freezes > 1 || container.record.state.status !== 'running') return;
    try {
      await onRecord(container, () => context.runtimes.get(container.record.runtime).pause(container.id));
    } catch (error) {
      container.freezes--;
      throw error;
    }
    container.record.state.thaw = true;
    container.save();
  });
  try {
    return await work();
  } finally {
    await container.freezer.run(async () => {
      container.freezes--;
      const { state } = container.record;
      if (container.freezes > 0 || !state.thaw) return;
      // It may have ended meanwhile, and another run is not ours.
      if (state.status === 'running' && container.run === run) await resume(context, container);
      delete state.thaw;
      container.note();
    });
  }
}

/** Freezes, or lets go on, for good. */
export async function onRecord(container: Container, work: () => Promise<void>): Promise<void> {
  const { state } = container.record;
  state.thaw = true;
  container.save();
  try {
    await work();
  } finally {
    // Saved by the caller, with the new status; after a failure at the next occasion, for which there is no hurry.
    delete state.thaw;
  }
}

/** Lets its processes go on, as far as they are frozen. */
export async function resume(context: Pick<Context, 'log' | 'runtimes'>, { id, record }: Container): Promise<void> {
  try {
    await context.runtimes.get(record.runtime).resume(id);
  } catch (error) {
    // Killed before it was frozen, or ended meanwhile.
    context.log.warn('a container could not be resumed', { container: id, error: messageOf(error) });
  }
}
