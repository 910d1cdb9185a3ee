import { rm } from 'node:fs/promises';
import { defineExtension, implement, volumeKind } from '@cleat/sdk';
import { checkVolumeName, turns, VolumeDirectories } from '@cleat/sdk/volumes';

/** Volumes are directories below `root`. They are what is on disk and nothing else: it may be killed at any time. */
export default defineExtension({
  options: { root: { default: '/var/lib/my-plugin', help: 'where the volumes are kept' } },
  start({ options, log }) {
    const volumes = new VolumeDirectories(options.root);
    // Calls for one volume run one after the other; volumes do not wait for each other.
    const inTurn = turns();
    volumes.sweep((left) => rm(left, { recursive: true }), log);

    const describe = (name: string) => {
      return { Name: name, Mountpoint: volumes.find(name), CreatedAt: volumes.createdAt(name) };
    };
    const driver = implement(volumeKind, {
      Create: ({ Name }) =>
        inTurn(Name, async () => {
          checkVolumeName(Name);
          // Engines also ask for what is there already.
          if (!volumes.has(Name)) await volumes.make(Name, () => {});
          return { Volume: describe(Name) };
        }),
      Remove: ({ Name }) => inTurn(Name, async () => rm(await volumes.putAside(Name), { recursive: true })),
      // Once for each start of a container, with another ID each time. A directory has nothing to be mounted.
      Mount: ({ Name }) => ({ Mountpoint: volumes.find(Name) }),
      Unmount: () => {},
      Path: ({ Name }) => ({ Mountpoint: volumes.find(Name) }),
      Get: ({ Name }) => ({ Volume: describe(Name) }),
      List: () => ({ Volumes: volumes.names().map(describe) }),
      Capabilities: () => ({ Capabilities: { Scope: 'local', IdempotentCreate: true } }),
    });
    return { implementations: [driver] };
  },
});
