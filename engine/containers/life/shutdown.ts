import { messageOf } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import { stopContainer } from './stop.js';

/** Stops everything that runs, within `timeout` seconds each, unless containers are to outlive the engine. */
export async function shutdownContainers(
  room: Room,
  options: { liveRestore: boolean; timeout: number },
): Promise<void> {
  room.stopping = true;
  const running = room.registry.all().filter((container) => container.running);
  for (const container of room.registry.all()) container.restarts.cancel();
  if (options.liveRestore) return;
  await Promise.all(running.map((container) => stop(room, container, options.timeout)));
}

async function stop(room: Room, container: Container, timeout: number): Promise<void> {
  try {
    const own = container.record.config.StopTimeout ?? 10;
    await stopContainer(room, container, { timeout: Math.min(own < 0 ? timeout : own, timeout), ref: container.id });
  } catch (error) {
    room.log.warn('a container could not be stopped', { container: container.id, error: messageOf(error) });
  }
}
