// A plugin whose volumes are one tmpfs each, shared by all containers: what @cleat/sdk/volumes does for its author.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { DurableMap, defineExtension, implement, notFound, run, volumeKind } from '@cleat/sdk';
import { SharedMounts } from '@cleat/sdk/volumes';

const extension = defineExtension({
  options: { directory: { required: true, help: 'for all that it keeps' } },
  async start({ options: { directory }, log }) {
    const volumes = new DurableMap(join(directory, 'volumes'), log);
    const mounts = await SharedMounts.open({
      root: join(directory, 'mounts'),
      state: join(directory, 'held'),
      mount: (name, at) => execFileSync('mount', ['-t', 'tmpfs', name, at]),
      abandonedAfterMs: 0,
      log,
    });
    const describe = (Name) => {
      if (volumes.get(Name) === undefined) throw notFound(`there is no volume ${Name}`);
      return { Name, Mountpoint: mounts.path(Name), Status: { holders: mounts.holders(Name).length } };
    };
    const driver = implement(volumeKind, {
      Create: async ({ Name }) => void (await volumes.ensure(Name, () => ({}))),
      async Remove({ Name }) {
        await mounts.drop(Name);
        volumes.delete(Name);
      },
      async Mount({ Name, ID }) {
        describe(Name);
        return { Mountpoint: await mounts.hold(Name, ID) };
      },
      Unmount: ({ Name, ID }) => mounts.release(Name, ID),
      Path: ({ Name }) => describe(Name),
      Get: ({ Name }) => ({ Volume: describe(Name) }),
      List: () => ({ Volumes: volumes.entries().map(([name]) => describe(name)) }),
    });
    return { implementations: [driver], close: () => mounts.close() };
  },
});

await run(extension, { name: 'shared-mounts' });
