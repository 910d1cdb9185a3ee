import { join } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { defineExtension, implement, invalidParameter, type MountContext, volumeKind } from '@cleat/sdk';
import { FixedUserMounts } from './fixed-users.js';
import { ensureMounted } from './host-mount.js';
import { readOptions, type User } from './options.js';
import { type StoredVolume, Volumes } from './volumes.js';

/** One mount on this host for all volumes; a container that is to be somebody else there gets one of its own. */
export default defineExtension({
  options: {
    device: { required: true, help: 'what is mounted, once, for all volumes' },
    type: { help: 'its file system, as for mount -t; without one, device is a directory' },
    o: { help: 'its options, as for mount -o' },
    root: { default: '/run/shared-mount', help: 'where it is mounted' },
  },
  async start({ options: { device, type, o, root }, log }) {
    const shared = join(root, 'all');
    await ensureMounted(shared, { device, type, o });
    const volumes = new Volumes(shared);
    volumes
      .sweep()
      .catch((error: unknown) => log.warn('removed volumes take up space still', { error: String(error) }));
    const fixedUsers = new FixedUserMounts(join(root, 'users'));

    const driver = implement(volumeKind, {
      Capabilities: () => ({ Capabilities: { Scope: 'global', Context: true } }),
      Create({ Name, Opts }) {
        readOptions(Opts ?? {});
        volumes.create(Name, Opts ?? {});
        return { Volume: described(volumes.require(Name)) };
      },
      Remove: ({ Name }) => volumes.remove(Name),
      async Mount({ Name, ID, Context }) {
        const volume = volumes.require(Name);
        const { as, user } = readOptions({ ...volumes.optionsOf(volume), ...Context?.Options });
        if (as === undefined) return { Mountpoint: volume.path };
        return { Mountpoint: await fixedUsers.mount(ID, volume.path, as, user ?? userOf(Context)) };
      },
      // An ordinary mount has none of its own.
      Unmount: ({ ID }) => fixedUsers.unmount(ID),
      Path: ({ Name }) => ({ Mountpoint: volumes.require(Name).path }),
      Get({ Name }) {
        const volume = volumes.require(Name);
        return { Volume: { ...described(volume), Status: volumes.optionsOf(volume) } };
      },
      List: () => ({ Volumes: volumes.list().map(described) }),
    });
    // Containers hold what they use themselves; it goes when the last one does.
    return { implementations: [driver], close: () => unmount(shared) };
  },
});

/** The user of a container's process. An engine that does not tell is taken to run it as root, as most images do. */
function userOf(context: MountContext | undefined): User {
  if (context === undefined) return { uid: 0, gid: 0 };
  const { Name, User, UID: uid, GID: gid } = context.Container;
  if (uid === undefined || gid === undefined) {
    throw invalidParameter(
      `container ${Name} does not tell which user ${JSON.stringify(User)} is: say volume-opt=user=UID:GID beside as`,
    );
  }
  return { uid, gid };
}

const described = ({ name, path, createdAt }: StoredVolume) => ({
  Name: name,
  Mountpoint: path,
  CreatedAt: createdAt.toISOString(),
});
