import { join } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { defineExtension, implement, invalidParameter, type MountContext, volumeKind } from '@cleat/sdk';
import { FixedUserMounts } from './fixed-users.js';
import { ensureMounted } from './host-mount.js';
import { readOptions, type User } from './options.js';
import { type StoredVolume, Volumes } from './volumes.js';

/** One mount on this host for all volumes; a container that is to be somebody else there gets one of its own. */
export default defineExtension({
  async start({ options, name }) {
    const { device, type, o, root = `/run/${name}` } = textOptions(options);
    if (device === undefined) throw invalidParameter(`${name} needs the option device, what it is to mount`);
    const shared = join(root, 'all');
    await ensureMounted(shared, { device, type, o });
    const volumes = new Volumes(shared);
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
        const { as, user } = readOptions({ ...volume.options, ...Context?.Options });
        if (as === undefined) return { Mountpoint: volume.path };
        return { Mountpoint: await fixedUsers.mount(ID, volume.path, as, user ?? userOf(Context)) };
      },
      // An ordinary mount has none of its own.
      Unmount: ({ ID }) => fixedUsers.unmount(ID),
      Path: ({ Name }) => ({ Mountpoint: volumes.require(Name).path }),
      Get: ({ Name }) => ({ Volume: described(volumes.require(Name)) }),
      List: () => ({ Volumes: volumes.list().map(described) }),
    });
    // Containers hold what they use themselves; it goes when the last one does.
    return { implementations: [driver], close: () => unmount(shared) };
  },
});

/** Who a container's process is. An engine that does not tell is taken to run it as root, as most images do. */
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

const described = ({ name, path, createdAt, options }: StoredVolume) => ({
  Name: name,
  Mountpoint: path,
  CreatedAt: createdAt.toISOString(),
  ...(Object.keys(options).length > 0 ? { Status: options } : {}),
});

function textOptions(options: Record<string, unknown>): Partial<Record<'device' | 'type' | 'o' | 'root', string>> {
  const texts = Object.entries(options).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(texts);
}
