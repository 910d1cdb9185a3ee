import { realpathSync } from 'node:fs';
import { Turns } from '@cleat/protocol/async/turns';
import { createVolume } from './create.js';
import { Drivers } from './drivers.js';
import type { HeldMount } from './held.js';
import { listVolumes } from './list.js';
import { inspectVolume } from './lookup.js';
import { adoptMount, mountVolume, unmountVolume } from './mount.js';
import { VolumeOutbox } from './outbox.js';
import type { VolumeRecord } from './record.js';
import { pruneVolumes, removeVolume, sizeOf } from './remove.js';
import type { Room, VolumesDeps } from './room.js';
import type { Volumes } from './service.js';

export type { VolumesDeps } from './room.js';
export type { MountedVolume, Volumes, VolumeUse } from './service.js';

/** Opens the room. */
export function openVolumes({
  config,
  log,
  store,
  events,
  extensions,
  outbox,
  helper,
  references,
}: VolumesDeps): Volumes {
  const drivers = new Drivers(extensions);
  const held = store.collection<HeldMount>('volume-mounts');
  const unmounts = new VolumeOutbox({ outbox, held, drivers, events });
  const room: Room = {
    defaultDriver: config.defaultVolumeDriver,
    roots: { dataRoot: realpathSync(config.dataRoot), execRoot: realpathSync(config.execRoot) },
    log,
    events,
    helper,
    records: store.collection<VolumeRecord>('volumes'),
    drivers,
    held,
    unmounts,
    turns: new Turns(),
    references,
  };
  return {
    defaultDriver: room.defaultDriver,
    create: (request) => createVolume(room, request),
    inspect: (name) => inspectVolume(room, name),
    list: (filters) => listVolumes(room, filters),
    remove: (name, { force }) => removeVolume(room, name, force),
    prune: (filters) => pruneVolumes(room, filters),
    mount: (name, use, signal) => mountVolume(room, name, use, signal),
    unmount: (use) => unmountVolume(room, use),
    adopt: (name, use, mounted) => adoptMount(room, name, use, mounted),
    reconcile: () => unmounts.reconcile(),
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
