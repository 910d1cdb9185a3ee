import { conflict, messageOf, systemError } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { notRunning } from './kill.js';

/** Freezes all its processes. @throws Conflict */
export async function pauseContainer(room: Room, container: Container): Promise<void> {
  const { id, record } = container;
  if (!container.running) throw notRunning(id);
  if (record.state.status === 'paused') throw conflict(`container ${id} is already paused`);
  if (record.state.status === 'restarting') throw restarting(id);
  try {
    await room.runtimes.get(record.runtime).pause(id);
  } catch (error) {
    throw systemError(`cannot pause container ${id}: ${messageOf(error)}`, { cause: error });
  }
  if (record.state.status === 'running') record.state.status = 'paused';
  container.save();
  room.emit(container, 'pause');
}

/** @throws Conflict */
export async function unpauseContainer(room: Room, container: Container): Promise<void> {
  const { id, record } = container;
  if (record.state.status !== 'paused') throw conflict(`Container ${id} is not paused`);
  try {
    await room.runtimes.get(record.runtime).resume(id);
  } catch (error) {
    throw systemError(`cannot resume container ${id}: ${messageOf(error)}`, { cause: error });
  }
  if (record.state.status === 'paused') record.state.status = 'running';
  container.save();
  room.emit(container, 'unpause');
}

export function restarting(id: string) {
  return conflict(`Container ${id} is restarting, wait until the container is running`);
}
