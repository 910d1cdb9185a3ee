import { lstatSync } from 'node:fs';
import { removeTree } from '@cleat/linux/rootfs/remove';
import { systemError } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { Volume, volumeKind } from '@cleat/protocol/kinds/volume';
import type { Logger } from '@cleat/protocol/log';
import { checkVolumeName, turns, VolumeDirectories } from '@cleat/sdk/volumes';
import { isMountPoint, mountOn, unmountFrom } from './mounts.js';
import { VolumeFiles } from './volume.js';
import { readOptions } from './volume-options.js';

/** Docker's `local` driver: directories, or what `type`, `device` and `o` mount on them. */
export async function createDriver(
  { root, owner }: { root: string; owner: { uid: number; gid: number } },
  log: Logger,
): Promise<Handlers<typeof volumeKind>> {
  const directories = new VolumeDirectories(root);
  directories.sweep(removeTree, log);
  const inTurn = turns();

  /** @throws NotFound */
  const existing = (name: string) => new VolumeFiles(directories.find(name));
  const describe = (name: string): Volume => ({
    Name: name,
    Mountpoint: existing(name).data,
    CreatedAt: directories.createdAt(name),
  });

  return {
    Create: ({ Name, Opts }) =>
      inTurn(Name, async () => {
        checkVolumeName(Name);
        const options = readOptions(Opts ?? {});
        // An existing volume is returned as it is, whatever the options say now, as in Docker.
        if (!directories.has(Name))
          await directories.make(Name, (directory) => new VolumeFiles(directory).fill(options, owner));
        return { Volume: describe(Name) };
      }),

    Remove: ({ Name }) =>
      inTurn(Name, async () => {
        const volume = existing(Name);
        if (volume.options()) await dropMount(volume);
        if (lstatSync(volume.data, { throwIfNoEntry: false })?.isSymbolicLink()) {
          throw systemError(`unable to remove a directory outside of the local volume root ${root}: ${volume.data}`);
        }
        await removeTree(await directories.putAside(Name));
      }),

    Mount: ({ Name, ID }, { signal }) =>
      inTurn(Name, async () => {
        const volume = existing(Name);
        const options = volume.options();
        if (options) {
          const mounted = isMountPoint(volume.data);
          // After a reboot nothing is mounted, and nobody of before holds anything.
          const holders = mounted ? volume.holders() : new Set<string>();
          if (!mounted) await mountOn(volume.data, options, signal);
          volume.writeHolders(holders.add(ID));
        }
        return { Mountpoint: volume.data };
      }),

    Unmount: ({ Name, ID }) =>
      inTurn(Name, async () => {
        const volume = existing(Name);
        if (!volume.options()) return;
        const holders = volume.holders();
        // Repeated, or after a Mount that failed: nothing is held, and nothing to do.
        if (!holders.delete(ID)) return;
        volume.writeHolders(holders);
        if (holders.size === 0) await unmountFrom(volume.data);
      }),

    Path: ({ Name }) => ({ Mountpoint: existing(Name).data }),

    Get: ({ Name }) => ({ Volume: describe(Name) }),

    List: () => ({ Volumes: directories.names().map(describe) }),

    Capabilities: () => ({ Capabilities: { Scope: 'local' } }),
  };
}

async function dropMount(volume: VolumeFiles): Promise<void> {
  if (!isMountPoint(volume.data)) return;
  if (volume.holders().size > 0) throw systemError('volume has active mounts');
  await unmountFrom(volume.data);
  // Never go on to delete what is on somebody's server.
  if (isMountPoint(volume.data)) throw systemError(`${volume.data} is still mounted`);
}
