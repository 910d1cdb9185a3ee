import type { Room } from './room.js';

/** Which containers use an image, for the room that refuses to remove what is in use. */
export function usersOfImage(room: Room, imageId: string): { containerId: string; name: string; running: boolean }[] {
  return room.registry
    .all()
    .filter((container) => container.record.imageId === imageId)
    .map((container) => ({ containerId: container.id, name: container.record.name, running: container.running }));
}

/** IDs of the containers that a volume belongs to, running or not, and of those that are just being made. */
export function usersOfVolume(room: Room, name: string): string[] {
  const made = room.registry.all().map(({ id, record }) => [id, record.mounts] as const);
  return [...made, ...room.making]
    .filter(([, mounts]) => mounts.some((mount) => mount.type === 'volume' && mount.name === name))
    .map(([id]) => id);
}
