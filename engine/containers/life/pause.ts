import { conflict, messageOf, systemError } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { onRecord } from './freeze.js';
import { notRunning } from './kill.js';

/** Freezes all its processes. @throws Conflict */
export async function pauseContainer(room: Room, container: Container): Promise<void> {
  const { id, record } = container;
  if (!container.running) throw notRunning(id);
  if (record.state.status === 'paused') throw conflict(`container ${id} is already paused`);
  if (record.state.status === 'restarting') throw restarting(id);
  await container.freezer.run(async () => {
    try {
      // Whoever needs it frozen for a moment leaves it so.
      if (container.freezes === 0) await onRecord(container, () => room.runtimes.get(record.runtime).pause(id));
    } catch (error) {
      throw systemError(`cannot pause container ${id}: ${messageOf(error)}`, { cause: error });
    }
    delete record.state.thaw;
    if (record.state.status === 'running') record.state.status = 'paused';
    container.note();
  });
  room.emit(container, 'pause');
}

/** @throws Conflict */
export async function unpauseContainer(room: Room, container: Container): Promise<void> {
  const { id, record } = container;
  if (record.state.status !== 'paused') throw conflict(`Container ${id} is not paused`);
  await container.freezer.run(async () => {
    try {
      if (container.freezes === 0) await onRecord(container, () => room.runtimes.get(record.runtime).resume(id));
      else record.state.thaw = true;
    } catch (error) {
      throw systemError(`cannot resume container ${id}: ${messageOf(error)}`, { cause: error });
    }
    if (record.state.status === 'paused') record.state.status = 'running';
    container.note();
  });
  room.emit(container, 'unpause');
}

export function restarting(id: string) {
  return conflict(`Container ${id} is restarting, wait until the container is running`);
}
