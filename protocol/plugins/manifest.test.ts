import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CleatError } from '../errors.js';
import { volumeKind } from '../kinds/index.js';
import { readManifest } from './manifest.js';
import { manifestBounds } from './shape.js';
import { isRuntime, kindsOf, parseType, typeOf } from './types.js';

const good = {
  Description: 'd',
  Entrypoint: ['/bin/a'],
  Interface: { Socket: 'a.sock', Types: ['docker.volumedriver/1.0'] },
};

const strict = (change: object) => readManifest(JSON.stringify({ ...good, ...change }), 'strict');
const lenient = (change: object) => readManifest(JSON.stringify({ ...good, ...change }), 'lenient');
const linux = (Linux: object) => ({ Linux });
const mount = (change: object) => ({
  Mounts: [{ Type: 'bind', Source: '/a', Destination: '/b', Options: ['rbind'], ...change }],
});
const types = (...Types: string[]) => ({ Interface: { Socket: 'a.sock', Types } });

describe('the strict reader says where the fault is', () => {
  test.each([
    [{ Entrypiont: ['/a'] }, 'Entrypiont: unknown member; did you mean Entrypoint?'],
    [{ manifestVersion: 'v0' }, 'manifestVersion: unknown member'],
    [linux({ Capabilites: [] }), 'Linux.Capabilites: unknown member; did you mean Capabilities?'],
    [linux({ Devices: [{ Path: '/dev/fuse', Pth: 1 }] }), 'Linux.Devices[0].Pth: unknown member; did you mean Path?'],
    [linux({ Devices: [{ Path: 5 }] }), 'Linux.Devices[0].Path: must be a string, not 5'],
    [linux({ Devices: [{ Path: 'fuse' }] }), 'Linux.Devices[0].Path: must be an absolute path, not "fuse"'],
    [linux({ Devices: [{ Path: '/etc/x' }] }), 'Linux.Devices[0].Path: must be below /dev, not "/etc/x"'],
    [linux({ Devices: [{ Path: '/dev/../x' }] }), 'Linux.Devices[0].Path: must not contain ".."'],
    [linux({ Devices: [{ Name: 'x' }] }), 'Linux.Devices[0].Path: must be given'],
    [
      linux({ Capabilities: ['SYS_ADMIN'] }),
      'Linux.Capabilities[0]: no capability is called "SYS_ADMIN"; did you mean CAP_SYS_ADMIN?',
    ],
    [linux({ Capabilities: ['CAP_KILL', 'CAP_KILL'] }), 'Linux.Capabilities[1]: CAP_KILL is listed twice'],
    [linux({ Capabilities: 'CAP_KILL' }), 'Linux.Capabilities: must be a list, not "CAP_KILL"'],
    [{ Entrypoint: [] }, 'Entrypoint: must name the program to run'],
    [{ Entrypoint: ['/a', null] }, 'Entrypoint[1]: is null'],
    [{ Entrypoint: ['/a\0b'] }, 'Entrypoint[0]: contains a null byte'],
    [{ IpcHost: 'true' }, 'IpcHost: must be true or false, not "true"'],
    [{ User: { UID: -1 } }, 'User.UID: must be 0 to 4294967295, not -1'],
    [{ User: { UID: 1.5 } }, 'User.UID: must be a whole number, not 1.5'],
    [{ Network: { Type: 'overlay' } }, 'Network.Type: must be one of none, host, bridge or null, not "overlay"'],
    [{ Network: 'host' }, 'Network: must be an object, not "host"'],
    [{ WorkDir: 'a' }, 'WorkDir: must be an absolute path, not "a"'],
    [{ PropagatedMount: '/a/../../b' }, 'PropagatedMount: must not contain ".."'],
    [{ PropagatedMount: '//./' }, 'PropagatedMount: must not be the root directory'],
    [{ Interface: { Socket: '../a', Types: good.Interface.Types } }, 'Interface.Socket: must be a file name'],
    [
      { Interface: { Socket: 'x'.repeat(65), Types: good.Interface.Types } },
      'Interface.Socket: has more than 64 bytes',
    ],
    [{ Interface: { Types: good.Interface.Types } }, 'Interface.Socket: must name the socket'],
    [{ Interface: { Socket: 'a' } }, 'Interface.Types: must list what the plugin is'],
    [types('volumedriver'), 'Interface.Types[0]: must have the form PREFIX.CAPABILITY/VERSION'],
    [
      { Interface: { ...good.Interface, ProtocolScheme: 'grpc' } },
      'Interface.ProtocolScheme: must be moby.plugins.http/v1',
    ],
    [mount({ Source: undefined }), 'Mounts[0].Source: must be given'],
    [mount({ Source: '' }), 'Mounts[0].Source: must be given; it may be "" where users can set it'],
    [mount({ Source: 'a' }), 'Mounts[0].Source: must be an absolute path, not "a"'],
    [mount({ Destination: 'b' }), 'Mounts[0].Destination: must be an absolute path, not "b"'],
    [mount({ Destination: '/' }), 'Mounts[0].Destination: must not be the root directory'],
    [mount({ Type: 'bnd' }), 'Mounts[0].Type: must be a known type'],
    [mount({ Options: ['rbnd'] }), 'Mounts[0].Options[0]: unknown mount option "rbnd"'],
    [mount({ Options: ['ro', 'rw'] }), 'Mounts[0].Options: both ro and rw'],
    [mount({ Settable: ['value'] }), 'Mounts[0].Settable[0]: must be "source"'],
    [
      { Mounts: [...mount({}).Mounts, ...mount({ Destination: '/b/' }).Mounts] },
      'Mounts[1].Destination: is that of Mounts[0], too',
    ],
    [{ Env: [{ Name: '' }] }, 'Env[0].Name: must not be empty'],
    [{ Env: [{ Name: 'A=B' }] }, 'Env[0].Name: must not contain "="'],
    [{ Env: [{ Name: 'A', Settable: ['source'] }] }, 'Env[0].Settable[0]: must be "value"'],
    [{ Env: [{ Name: 'A' }, { Name: 'A' }] }, 'Env[1].Name: "A" is also Env[0].Name'],
    [{ Env: [{ Name: 'a' }], ...mount({ Name: 'a' }) }, 'Mounts[0].Name: "a" is also Env[0].Name'],
    [{ Args: { Settable: ['value'] } }, 'Args.Name: must be given: it is settable'],
    [{ rootfs: { type: 'layers', diff_ids: ['x'] } }, 'rootfs.diff_ids[0]: must be a sha256 digest'],
    [{ Cleat: { Need: ['x'] } }, 'Cleat.Need: unknown member; did you mean Needs?'],
    [{ Cleat: { Secret: ['X'] } }, 'Cleat.Secret[0]: no variable of Env is called "X"'],
    [{ Cleat: { UpgradeInUse: 'kill' } }, 'Cleat.UpgradeInUse: must be "drain" or absent'],
    [{ Cleat: { Needs: ['../x'] } }, "Cleat.Needs[0]: must be a plugin's name or one of volume, "],
    [{ Cleat: { Resources: { Memory: '1g' } } }, 'Cleat.Resources.Memory: must be a whole number, not "1g"'],
    [{ entrypoint: ['/b'] }, 'entrypoint: is given twice: also as "Entrypoint"'],
  ])('%j', (change, complaint) => {
    const read = () => strict(change);
    expect(read).toThrow(CleatError);
    expect(read).toThrow(`invalid plugin manifest: ${complaint}`);
  });

  test('all faults at once, but no more than ten', () => {
    expect(() => strict({ WorkDir: 'x', Network: { Type: 'y' } })).toThrow(/WorkDir: .*; /s);
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`member${at}`, 1]));
    expect(() => strict(many)).toThrow(/; and 20 more$/);
  });
});

test('a manifest with everything in it passes', () => {
  const manifest = strict({
    Args: { Name: 'args', Settable: ['value'], Value: ['-v'] },
    Documentation: 'https://example.com',
    Env: [{ Name: 'DEBUG', Settable: ['value'], Value: '0' }, { Name: 'KEY' }],
    IpcHost: true,
    Linux: {
      AllowAllDevices: true,
      Capabilities: ['CAP_SYS_ADMIN'],
      Devices: [{ Path: '', Settable: ['path'], Name: 'd' }],
    },
    Mounts: [
      {
        Name: 'm',
        Source: '',
        Settable: ['source'],
        Destination: '/m',
        Type: 'bind',
        Options: ['rbind', 'rshared', 'ro'],
      },
      { Source: 'tmpfs', Destination: '/t', Type: 'tmpfs', Options: ['nosuid', 'size=64k'] },
      { Source: '/x', Destination: '/x', Options: ['rbind'] },
    ],
    Network: { Type: 'host' },
    PidHost: true,
    PropagatedMount: '/mnt',
    User: { UID: 1, GID: 4294967295 },
    WorkDir: '/w',
    Cleat: {
      Needs: ['volume', 'vieux/sshfs:latest'],
      After: ['log'],
      UpgradeInUse: 'drain',
      Secret: ['KEY'],
      Resources: { Memory: 1 },
    },
  });
  expect(manifest.Cleat?.Needs).toEqual(['volume', 'vieux/sshfs:latest']);
  expect(manifest.User).toEqual({ UID: 1, GID: 4294967295 });
  // Its answer can be read again: an engine shows it, and people make the next one of it.
  expect(readManifest(JSON.stringify(manifest), 'strict')).toEqual(manifest);
});

describe('the lenient reader', () => {
  test('drops what Docker ignores, also inside our own additions', () => {
    const manifest = lenient({
      ManifestVersion: 'v0',
      Linux: { Capabilites: ['x'] },
      Cleat: { Later: 1, After: ['a'] },
    });
    expect(manifest).not.toHaveProperty('ManifestVersion');
    expect(manifest.Linux).not.toHaveProperty('Capabilites');
    expect(manifest.Cleat).toEqual({ After: ['a'] });
  });

  test.each([
    [{ Interface: { Socket: 'a/b' } }, 'Interface.Socket'],
    [{ PropagatedMount: 'mnt' }, 'PropagatedMount'],
    [{ PropagatedMount: '/mnt/..' }, 'PropagatedMount'],
    [{ Entrypoint: ['a\0'] }, 'Entrypoint[0]'],
    [{ Description: 'x'.repeat(manifestBounds.string + 1) }, 'Description'],
    [{ Env: Array.from({ length: manifestBounds.list + 1 }, () => ({ Name: 'A' })) }, 'Env'],
  ])('refuses what is hostile: %#', (change, path) => {
    expect(() => lenient(change)).toThrow(`invalid plugin manifest: ${path}: `);
  });

  test('has bounds for the whole, and for depth', () => {
    expect(() => readManifest(`"${'x'.repeat(manifestBounds.text)}"`, 'lenient')).toThrow('has more than');
    expect(() => readManifest('['.repeat(5_000), 'lenient')).toThrow('invalid plugin manifest: ');
    const members = Object.fromEntries(Array.from({ length: manifestBounds.members + 1 }, (_, at) => [`m${at}`, 1]));
    expect(() => lenient(members)).toThrow('members, of at most');
  });

  test('answers a manifest or an error with a class, whatever it is given', () => {
    const anything = fc.oneof(
      fc.json(),
      fc.object().map((value) => JSON.stringify(Object.assign({ ...good }, value))),
      fc.string(),
    );
    fc.assert(
      fc.property(anything, (text) => {
        try {
          expect(readManifest(text, 'lenient').Linux).toBeDefined();
        } catch (error) {
          expect(error).toBeInstanceOf(CleatError);
        }
      }),
    );
  });
});

describe('types', () => {
  test('name kinds, each once, and those of nobody here none', () => {
    const manifest = lenient(
      types(
        'docker.volumedriver/1.0',
        'docker.volumedriver/2.0',
        'cleat.network/1',
        'docker.csinode/1.0',
        'docker.authz/1.0',
        'x.logdriver/1.0',
      ),
    );
    expect(kindsOf(manifest)).toEqual(['VolumeDriver', 'NetworkDriver', 'authz']);
  });

  test('tell a runtime', () => {
    expect(isRuntime(lenient(types('cleat.runtime/1')))).toBe(true);
    expect(isRuntime(lenient(types('docker.runtime/1.0')))).toBe(true);
    expect(isRuntime(lenient({}))).toBe(false);
  });

  test('are written as stock engines read them', () => {
    expect(typeOf(volumeKind)).toBe('docker.volumedriver/1.0');
    expect(parseType('a.b.c/1/2')).toEqual({ prefix: 'a.b', capability: 'c', version: '1/2' });
  });
});
