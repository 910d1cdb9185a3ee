import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ScriptedKind, type Surroundings, text } from './kind.js';

/** Volumes are directories. Open in its account: volumes, and each mount by its ID. */
export function volumeKind({ account, directory }: Surroundings): ScriptedKind {
  const path = (name: string) => join(directory, 'volumes', name);
  const key = (name: string) => `volume ${name}`;
  const mounts = (name: string) => account.keys(`mount ${name} `);
  const known = (name: string): string => {
    if (account.has(key(name))) return name;
    throw new Error(`no such volume: ${name}`);
  };
  const facts = (name: string) => ({ Name: name, Mountpoint: path(name) });
  return {
    capability: 'VolumeDriver',
    errorKey: 'Err',
    methods: {
      'VolumeDriver.Create': (request) => {
        const name = text(request, 'Name');
        mkdirSync(path(name), { recursive: true });
        if (!account.has(key(name))) account.begin(key(name));
        return {};
      },
      'VolumeDriver.Remove': (request) => {
        const name = known(text(request, 'Name'));
        if (mounts(name).length > 0) {
          account.problem(`Remove of ${name}, which is mounted`);
          throw new Error(`volume ${name} is in use`);
        }
        account.end(key(name));
        rmSync(path(name), { recursive: true, force: true });
        return {};
      },
      'VolumeDriver.Mount': (request) => {
        const name = known(text(request, 'Name'));
        const mount = `mount ${name} ${text(request, 'ID')}`;
        if (account.has(mount)) account.problem(`a second ${mount}`);
        else account.begin(mount);
        return { Mountpoint: path(name) };
      },
      'VolumeDriver.Unmount': (request) => {
        account.end(`mount ${text(request, 'Name')} ${text(request, 'ID')}`);
        return {};
      },
      'VolumeDriver.Path': (request) => ({ Mountpoint: path(known(text(request, 'Name'))) }),
      'VolumeDriver.Get': (request) => ({ Volume: facts(known(text(request, 'Name'))) }),
      'VolumeDriver.List': () => ({
        Volumes: account.keys('volume ').map((volume) => facts(volume.slice('volume '.length))),
      }),
      'VolumeDriver.Capabilities': () => ({ Capabilities: { Scope: 'local' } }),
    },
  };
}
