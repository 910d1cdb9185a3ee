import { join } from 'node:path';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { messageOf } from '@cleat/protocol/errors';
import { conflict, defineExtension, implement, invalidParameter, unavailable, volumeKind } from '@cleat/sdk';
import { checkVolumeName, turns, VolumeDirectories } from '@cleat/sdk/volumes';
import { Mounts } from './mounts.js';
import { Rclone } from './rclone.js';
import { VolumeFiles } from './volume-files.js';

/** Volumes on whatever rclone reaches. Only Mount asks a back end; all else answers from what is on this host. */
export default defineExtension({
  options: {
    root: { default: '/var/lib/rclone-volume', help: 'where the volumes are mounted' },
    config: { help: 'the rclone.conf that knows the remotes (rclone has one of its own)' },
  },
  start({ options: { root, config }, log, name }) {
    const rclone = new Rclone(config);
    const volumes = new VolumeDirectories(join(root, 'volumes'));
    volumes.sweep((directory) => new VolumeFiles(directory).discard(), log);
    const mounts = new Mounts(join(root, 'mounts.journal'), rclone, log);
    const find = (volume: string) => new VolumeFiles(volumes.find(volume));
    for (const volume of volumes.names()) mounts.recover(volume, find(volume));
    const inTurn = turns();
    const described = (volume: string) => {
      const { target, remote } = find(volume);
      const Status = { Remote: remote, Mounted: isMountPoint(target), Holders: mounts.holders(volume) };
      return { Name: volume, Mountpoint: target, CreatedAt: volumes.createdAt(volume), Status };
    };

    const driver = implement(volumeKind, {
      Create: ({ Name, Opts }) =>
        inTurn(Name, async () => {
          // An existing volume stays as it is.
          if (volumes.has(Name)) return { Volume: described(Name) };
          checkVolumeName(Name);
          const { remote, ...unknown } = Opts ?? {};
          const [other] = Object.keys(unknown);
          if (other !== undefined) throw invalidParameter(`${name} has no option ${other}; it has remote`);
          if (remote === undefined) throw invalidParameter(`${name} needs the option remote: say -o remote=NAME:PATH`);
          await rclone.check(remote);
          await volumes.make(Name, (directory) => new VolumeFiles(directory).fill(remote));
          return { Volume: described(Name) };
        }),
      /** Forgets the volume and what is cached of it. Its data is the remote's, and stays. */
      Remove: ({ Name }) =>
        inTurn(Name, async () => {
          const volume = find(Name);
          const unsent = await volume.unsent();
          if (unsent > 0) throw conflict(notSent(Name, unsent, volume.cache));
          mounts.remove(Name, volume);
          await new VolumeFiles(await volumes.putAside(Name)).discard();
        }),
      async Mount({ Name, ID }, { signal }) {
        const { remote } = find(Name);
        // Not in turn: ten containers that start wait for a silent back end once, not ten times.
        await rclone.reach(remote, signal).catch((cause: unknown) => {
          throw unavailable(away(Name, remote, messageOf(cause)), { cause });
        });
        return await inTurn(Name, async () => {
          const volume = find(Name);
          await mounts.acquire(Name, volume, ID);
          return { Mountpoint: volume.target };
        });
      },
      Unmount: ({ Name, ID }) => inTurn(Name, () => mounts.release(Name, find(Name), ID)),
      Path: ({ Name }) => ({ Mountpoint: find(Name).target }),
      Get: async ({ Name }) => {
        const volume = described(Name);
        return { Volume: { ...volume, Status: { ...volume.Status, Unsent: await find(Name).unsent() } } };
      },
      List: () => ({ Volumes: volumes.names().map(described) }),
      Capabilities: () => ({ Capabilities: { Scope: 'local', IdempotentCreate: true } }),
    });
    // The mounts are the containers', and stay.
    return { implementations: [driver], close: () => mounts.close() };
  },
});

const away = (name: string, remote: string, why: string): string =>
  `the back end of volume ${name} (${remote}) does not answer, start the container again when it is back: ${why}`;

const notSent = (name: string, unsent: number, cache: string): string =>
  `volume ${name} has what is not at its back end yet (files: ${unsent}): start a container with it when that is there, or delete ${cache} to give it up`;
