import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { VolumeResource } from '@cleat/protocol/api/volume';
import { Turns } from '@cleat/protocol/async/turns';
import type { Context, VolumesDeps } from './context.js';
import { createVolume } from './create.js';
import { Drivers } from './drivers.js';
import type { HeldMount } from './held.js';
import { listVolumes } from './list.js';
import { inspectVolume } from './lookup.js';
import { adoptMount, mountVolume, unmountVolume } from './mount.js';
import { VolumeOutbox } from './outbox.js';
import type { VolumeRecord } from './record.js';
import { pruneVolumes, removeVolume, sizeOf } from './remove.js';
import type { VolumeHost, Volumes } from './service.js';

export type { VolumesDeps } from './context.js';
export type { MountedVolume, VolumeHost, Volumes, VolumeUse } from './service.js';

/** Opens the context. */
export function openVolumes({
  config,
  log,
  store,
  events,
  extensions,
  outbox,
  helper,
  place = () => undefined,
  references,
}: VolumesDeps): Volumes & VolumeHost {
  const drivers = new Drivers(extensions);
  const held = store.collection<HeldMount>('volume-mounts');
  const unmounts = new VolumeOutbox({ outbox, held, drivers, events });
  const context: Context = {
    defaultDriver: config.defaultVolumeDriver,
    roots: { dataRoot: realpathSync(config.dataRoot), execRoot: realpathSync(config.execRoot) },
    log,
    events,
    helper,
    records: store.collection<VolumeRecord>('volumes'),
    place,
    drivers,
    held,
    unmounts,
    turns: new Turns(),
    references,
  };
  /** On this host, and not as a driver with a root of its own sees it. */
  const shown = (volume: VolumeResource): VolumeResource => {
    const at = volume.Mountpoint === '' ? undefined : place(volume.Driver, volume.Mountpoint);
    return at ? { ...volume, Mountpoint: join(at.root, at.within) } : volume;
  };
  return {
    defaultDriver: context.defaultDriver,
    create: async (request) => shown(await createVolume(context, request)),
    inspect: async (name) => shown(await inspectVolume(context, name)),
    async list(filters) {
      const all = await listVolumes(context, filters);
      return { ...all, Volumes: all.Volumes.map(shown) };
    },
    remove: (name, { force }) => removeVolume(context, name, force),
    prune: (filters) => pruneVolumes(context, filters),
    mount: (name, use, signal) => mountVolume(context, name, use, signal),
    unmount: (use) => unmountVolume(context, use),
    adopt: (name, use, mounted) => adoptMount(context, name, use, mounted),
    reconcile: () => unmounts.reconcile(),
    ofDriver: (driver) =>
      context.records.entries().flatMap(([name, record]) => (record.driver === driver ? [name] : [])),
    diskUsage: async () => {
      const { Volumes } = await listVolumes(context, { driver: [context.defaultDriver] });
      const plain = Volumes.filter((volume) => Object.keys(volume.Options ?? {}).length === 0);
      return await Promise.all(
        plain.map(async (volume) => ({
          ...volume,
          UsageData: { RefCount: context.references(volume.Name).length, Size: await sizeOf(context, volume) },
        })),
      );
    },
  };
}
