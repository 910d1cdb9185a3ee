import { describe, expect, test } from 'vitest';
import { readManifest } from './manifest.js';
import { applySettings, carriedOver, defaultSettings } from './settings.js';
import { type PluginVersion, upgradePrivileges } from './upgrade-privileges.js';

const mount = (Source: string, ...Options: string[]) => ({
  Name: 'data',
  Source,
  Destination: '/data',
  Type: 'bind',
  Options,
  Settable: ['source'],
});

function version(changes: object): PluginVersion {
  const manifest = readManifest(
    JSON.stringify({
      Entrypoint: ['/run'],
      Interface: { Types: ['docker.volumedriver/1.0'], Socket: 'p.sock' },
      ...changes,
    }),
    'lenient',
  );
  return { manifest, settings: defaultSettings(manifest) };
}

const asks = (before: object, after: object): string[] =>
  upgradePrivileges(version(before), version(after)).map(({ Name, Value }) => `${Name}: [${(Value ?? []).join(', ')}]`);

describe('an upgrade asks for', () => {
  const mounts = (...Mounts: object[]) => ({ Mounts });
  const types = (...Types: string[]) => ({ Interface: { Types, Socket: 'p.sock' } });
  const resources = (Resources: object) => ({ Cleat: { Resources } });
  test.each<[what: string, before: object, after: object, asked: string[]]>([
    ['nothing', mounts(mount('/a', 'rbind', 'ro')), mounts(mount('/a', 'rbind', 'ro')), []],
    [
      'a mount that becomes writable',
      mounts(mount('/a', 'rbind', 'ro')),
      mounts(mount('/a', 'rbind')),
      ['mount options: [/a: rw]'],
    ],
    [
      'the same said in words',
      mounts(mount('/a', 'bind', 'ro', 'nosuid')),
      mounts(mount('/a', 'bind', 'rw', 'suid')),
      ['mount options: [/a: rw suid]'],
    ],
    [
      'an option that is taken back after it',
      mounts(mount('/a', 'bind', 'ro')),
      mounts(mount('/a', 'ro', 'bind', 'rw')),
      ['mount options: [/a: rw]'],
    ],
    [
      'a second mount of the same that may be written',
      mounts(mount('/a', 'bind', 'ro')),
      mounts(mount('/a', 'bind', 'ro'), { ...mount('/a', 'bind'), Name: 'more', Destination: '/more' }),
      ['mount options: [/a: rw]'],
    ],
    [
      'mounts that reach the host, and those below it',
      mounts(mount('/a', 'bind', 'ro')),
      mounts(mount('/a', 'rbind', 'ro', 'rshared')),
      ['mount options: [/a: rbind rshared]'],
    ],
    [
      'a device as a file system',
      mounts(mount('/dev/sdz', 'bind')),
      mounts({ ...mount('/dev/sdz'), Type: 'ext4' }),
      ['mount options: [/dev/sdz: type=ext4]'],
    ],
    [
      'nothing for what is narrower',
      mounts(mount('/a', 'rbind', 'rshared')),
      mounts(mount('/a', 'bind', 'ro', 'nosuid', 'noatime')),
      [],
    ],
    ['another source', mounts(mount('/a', 'bind', 'ro')), mounts(mount('/b', 'bind', 'ro')), ['mount: [/b]']],
    ['a network of its own', { Network: { Type: 'none' } }, { Network: { Type: 'bridge' } }, ['network: [bridge]']],
    ['nothing for less of a network', { Network: { Type: 'host' } }, { Network: { Type: 'bridge' } }, []],
    ['root', { User: { UID: 7, GID: 7 } }, {}, ['user: [0:0]']],
    ['another group', { User: { UID: 7, GID: 7 } }, { User: { UID: 7, GID: 0 } }, ['user: [7:0]']],
    ['nothing for a plain user', {}, { User: { UID: 7, GID: 7 } }, []],
    ['a propagated mount', {}, { PropagatedMount: '/mnt' }, ['propagated mount: [/mnt]']],
    [
      'another kind, not another name of the same',
      types('docker.volumedriver/1.0'),
      types('cleat.volume/1', 'docker.authz/1.0'),
      ['interface: [docker.authz/1.0]'],
    ],
    [
      'more memory, and processors without a limit',
      resources({ Memory: 1024, NanoCpus: 5, PidsLimit: 9 }),
      resources({ Memory: 2048, PidsLimit: 9 }),
      ['resources: [Memory: 2048, NanoCpus: none]'],
    ],
    ['all of this host', resources({ Memory: 1024 }), {}, ['resources: [Memory: none]']],
    ['nothing for less of it', resources({ Memory: 2048 }), resources({ Memory: 1024, NanoCpus: 5 }), []],
  ])('%s', (_what, before, after, asked) => {
    expect(asks(before, after)).toEqual(asked);
  });

  test('names a setting of the user only where that is lost, or widened', () => {
    const before = version({ Mounts: [mount('/usual', 'bind', 'ro')] });
    const set = { ...before, settings: applySettings(before.manifest, before.settings, ['data.source=/own']) };
    const upgraded = (...mounts: object[]) => {
      const { manifest } = version({ Mounts: mounts });
      const after = { manifest, settings: carriedOver(set.manifest, set.settings, manifest) };
      return upgradePrivileges(set, after).map(({ Name, Value }) => [Name, ...(Value ?? [])]);
    };
    expect(upgraded(mount('/usual', 'bind', 'ro'))).toEqual([]);
    expect(upgraded(mount('/usual', 'bind'))).toEqual([['mount options', '/own: rw']]);
    expect(upgraded({ ...mount('/usual', 'bind', 'ro'), Settable: null })).toEqual([['mount', '/usual']]);
  });
});
