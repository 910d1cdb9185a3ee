import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineExtension, implement, invalidParameter, notFound, volumeKind } from '@cleat/sdk';

/** Volumes whose data outlives `docker volume rm`: Remove forgets the name, and Create of the same name finds it. */
export default defineExtension({
  options: { root: { default: '/data', help: 'where the data goes' } },
  start({ options: { root } }) {
    const list = join(root, '.volumes.json');
    mkdirSync(root, { recursive: true });
    const names = new Set<string>(
      readdirSync(root).includes('.volumes.json') ? JSON.parse(readFileSync(list, 'utf8')) : [],
    );
    const save = () => {
      // Written aside and moved into place: a kill in between loses nothing.
      writeFileSync(`${list}.new`, JSON.stringify([...names]));
      renameSync(`${list}.new`, list);
    };
    const volume = (name: string) => {
      if (!names.has(name)) throw notFound(`no such volume: ${name}`);
      return { Name: name, Mountpoint: join(root, name) };
    };
    const drivers = implement(volumeKind, {
      Create({ Name }) {
        if (!/^\w[\w.-]*$/.test(Name)) throw invalidParameter(`a volume cannot be called ${JSON.stringify(Name)}`);
        mkdirSync(join(root, Name), { recursive: true });
        names.add(Name);
        save();
        return { Volume: volume(Name) };
      },
      Remove({ Name }) {
        names.delete(volume(Name).Name);
        save();
      },
      Mount: ({ Name }) => ({ Mountpoint: volume(Name).Mountpoint }),
      Unmount: () => {},
      Path: ({ Name }) => ({ Mountpoint: volume(Name).Mountpoint }),
      Get: ({ Name }) => ({ Volume: volume(Name) }),
      List: () => ({ Volumes: [...names].map(volume) }),
      Capabilities: () => ({ Capabilities: { Scope: 'local', IdempotentCreate: true } }),
    });
    return { implementations: [drivers] };
  },
});
