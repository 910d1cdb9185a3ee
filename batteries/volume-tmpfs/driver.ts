import { listMounts } from '@cleat/linux/mount/mountinfo';
import { messageOf } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { Volume, volumeKind } from '@cleat/protocol/kinds/volume';
import type { Logger } from '@cleat/protocol/log';
import { checkVolumeName, turns, VolumeDirectories } from '@cleat/sdk/volumes';
import { discard, ensureMounted, usageOf } from './memory.js';
import { VolumeFiles } from './volume.js';
import { readOptions } from './volume-options.js';

/**
 * Volumes that are tmpfs file systems. One is mounted at its first Mount and stays so until Remove, whatever comes and
 * goes in between: its contents are the mount. Who holds it is not counted, as nothing is done at the last Unmount, and
 * the engine removes no volume that a container refers to.
 */
export function createDriver(stateDir: string, log: Logger): Handlers<typeof volumeKind> {
  const directories = new VolumeDirectories(stateDir);
  const discardVolume = (directory: string) => discard(directory, new VolumeFiles(directory).data);
  directories.sweep(discardVolume, log);
  const inTurn = turns();

  /** @throws NotFound */
  const existing = (name: string) => new VolumeFiles(directories.find(name));
  const describe = (name: string, mounted = mountPoints(existing(name).data)): Volume => {
    const volume = existing(name);
    return {
      Name: name,
      Mountpoint: volume.data,
      CreatedAt: directories.createdAt(name),
      Status: statusOf(volume, mounted.has(volume.data)),
    };
  };

  return {
    Create: ({ Name, Opts }) =>
      inTurn(Name, async () => {
        // An existing volume is returned as it is, whatever the options say now, as `local` does.
        if (!directories.has(Name)) {
          checkVolumeName(Name);
          const options = readOptions(Opts ?? {});
          await directories.make(Name, (directory) => new VolumeFiles(directory).fill(options));
        }
        return { Volume: describe(Name) };
      }),

    Remove: ({ Name }) => inTurn(Name, async () => discardVolume(await directories.putAside(Name))),

    Mount: ({ Name }) =>
      inTurn(Name, () => {
        const volume = existing(Name);
        ensureMounted(volume.data, volume.options().tmpfs);
        return { Mountpoint: volume.data };
      }),

    Unmount: ({ Name }) => void existing(Name),

    Path: ({ Name }) => ({ Mountpoint: existing(Name).data }),

    Get: ({ Name }) => ({ Volume: describe(Name) }),

    List: () => {
      const mounted = mountPoints(directories.root);
      return { Volumes: directories.names().map((name) => describe(name, mounted)) };
    },

    Capabilities: () => ({ Capabilities: { Scope: 'local', IdempotentCreate: true } }),
  };
}

/** A damaged volume is shown, too, or nobody would know why it cannot be mounted. */
function statusOf(volume: VolumeFiles, isMounted: boolean): Record<string, unknown> {
  try {
    return { Options: volume.options().given, Mounted: isMounted, ...(isMounted ? usageOf(volume.data) : {}) };
  } catch (error) {
    return { Error: messageOf(error) };
  }
}

/** Read once for all: a host with many containers has thousands of mounts. */
function mountPoints(prefix: string): ReadonlySet<string> {
  return new Set(listMounts(prefix).map(({ target }) => target));
}
