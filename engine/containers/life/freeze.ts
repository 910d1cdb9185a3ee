import { messageOf } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import type { Room } from '../room.js';

/**
 * What freezes a container or lets it go on is on record before it is done (`state.thaw`), and taken back by the next
 * engine when this one is killed in between: whoever asked was not answered.
 */

/**
 * Keeps the processes of a running container still while `work` runs. A user may pause and unpause it meanwhile; what
 * they wished last holds in the end.
 */
export async function whileFrozen<T>(room: Room, container: Container, work: () => Promise<T>): Promise<T> {
  const { run } = container;
  await container.freezer.run(async () => {
    container.freezes++;
    if (container.freezes > 1 || container.record.state.status !== 'running') return;
    try {
      await onRecord(container, () => room.runtimes.get(container.record.runtime).pause(container.id));
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
      if (state.status === 'running' && container.run === run) await resume(room, container);
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

/** Takes back what the engine before was killed in. Before anybody asks for the container. */
export async function thaw(room: Room, container: Container): Promise<void> {
  const { state } = container.record;
  if (!state.thaw) return;
  const unpaused = state.status === 'paused';
  await resume(room, container);
  delete state.thaw;
  if (unpaused) state.status = 'running';
  container.note();
  if (unpaused) room.emit(container, 'unpause');
}

async function resume(room: Room, { id, record }: Container): Promise<void> {
  try {
    await room.runtimes.get(record.runtime).resume(id);
  } catch (error) {
    // Killed before it was frozen, or ended meanwhile.
    room.log.warn('a container could not be resumed', { container: id, error: messageOf(error) });
  }
}
