import { createVolume } from './create.js';
import { Drivers } from './drivers.js';
import { listVolumes } from './list.js';
import { inspectVolume } from './lookup.js';
import { mountVolume, unmountVolume } from './mount.js';
import type { VolumeRecord } from './record.js';
import { pruneVolumes, removeVolume, sizeOf } from './remove.js';
import type { Room, VolumesDeps } from './room.js';
import type { Volumes } from './service.js';
import { Turns } from './turns.js';

export type { VolumesDeps } from './room.js';
export type { MountedVolume, Volumes, VolumeUse } from './service.js';

/** Opens the room. */
export function openVolumes({ config, log, store, events, extensions, helper }: VolumesDeps): Volumes {
  let references: (name: string) => string[] = () => [];
  const room: Room = {
    defaultDriver: config.defaultVolumeDriver,
    log,
    events,
    helper,
    records: store.collection<VolumeRecord>('volumes'),
    drivers: new Drivers(extensions),
    turns: new Turns(),
    references: (name) => references(name),
  };
  return {
    defaultDriver: room.defaultDriver,
    create: (request) => createVolume(room, request),
    inspect: (name) => inspectVolume(room, name),
    list: (filters) => listVolumes(room, filters),
    remove: (name, { force }) => removeVolume(room, name, force),
    prune: (filters) => pruneVolumes(room, filters),
    mount: (name, use) => mountVolume(room, name, use),
    unmount: (name, use) => unmountVolume(room, name, use),
    adopt: () => {
      // References are asked from the containers, and drivers keep their own account: nothing is counted here.
    },
    setReferences: (ask) => {
      references = ask;
    },
    diskUsage: async () => {
      const { Volumes } = await listVolumes(room, { driver: [room.defaultDriver] });
      const plain = Volumes.filter((volume) => Object.keys(volume.Options ?? {}).length === 0);
      return await Promise.all(
        plain.map(async (volume) => ({
          ...volume,
          UsageData: { RefCount: room.references(volume.Name).length, Size: await sizeOf(room, volume) },
        })),
      );
    },
  };
}
