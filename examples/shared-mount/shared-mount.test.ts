import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { unmountAll } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { volumeKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import sharedMount from './shared-mount.js';

let directory: string;
let device: string;
let root: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-shared-mount-');
  [device, root] = [join(directory, 'device'), join(directory, 'root')];
  mkdirSync(device);
});
afterEach(() => {
  unmountAll(directory);
  rmSync(directory, { recursive: true });
});
const aside = () => join(device, '.shared-mount/aside', hostname());
const mounted = () => listMounts(directory).map(({ target }) => target);
const as = (user: string, uid = 0) => ({
  Container: { ID: 'c', Name: 'c', Labels: {}, User: '', UID: uid, GID: uid },
  Destination: '/d',
  ReadOnly: false,
  Options: { as: user },
});

describe.each(['in-process', 'socket'] as const)('shared-mount, %s', (carrier) => {
  const start = () => startForTest(sharedMount, { name: 'shared-mount', carrier, options: { device, root } });

  test('one mount for all volumes, whose list is that of their directories', async () => {
    const names = Array.from({ length: 10 }, (_, at) => `team/v${at}`);
    {
      await using plugin = await start();
      const driver = plugin.client(volumeKind);
      for (const Name of [...names, ...names]) await driver.Create({ Name });
      for (const Name of names) {
        const { Mountpoint = '' } = await driver.Mount({ Name, ID: `of-${Name.slice(5)}` });
        writeFileSync(join(Mountpoint, 'file'), Name);
      }
      expect(mounted()).toEqual([join(root, 'all')]);
    }
    expect(mounted()).toEqual([]);
    mkdirSync(join(device, 'by-hand'));
    symlinkSync('/etc', join(device, 'link'));
    writeFileSync(join(device, 'file'), '');
    await using plugin = await start();
    const driver = plugin.client(volumeKind);
    const listed = (await driver.List({})).Volumes?.map(({ Name }) => Name).sort();
    expect(listed).toEqual(['by-hand', ...names]);
    const { Mountpoint = '' } = await driver.Path({ Name: 'team/v3' });
    expect(readFileSync(join(Mountpoint, 'file'), 'utf8')).toBe('team/v3');
    await driver.Remove({ Name: 'team/v3' });
    await expect(driver.Mount({ Name: 'team/v3', ID: 'x' })).rejects.toThrow('no such volume: team/v3');
    expect(readdirSync(aside())).toEqual([]);
  });

  test('the rest that a kill left of a removal goes, and options that cannot be read stop a Mount, no list', async () => {
    mkdirSync(join(aside(), 'old-x/data'), { recursive: true });
    await using plugin = await start();
    await expect.poll(() => readdirSync(aside())).toEqual([]);
    const driver = plugin.client(volumeKind);
    await driver.Create({ Name: 'data', Opts: { as: '1001' } });
    writeFileSync(join(device, '.shared-mount/options/data'), '');
    await expect(driver.Mount({ Name: 'data', ID: 'x' })).rejects.toThrow('the options of volume data cannot be read');
    expect((await driver.List({})).Volumes).toMatchObject([{ Name: 'data' }]);
    await driver.Remove({ Name: 'data' });
  });

  test('a mount as somebody else is one of its own, until its Unmount, also after a restart', async () => {
    {
      await using plugin = await start();
      const driver = plugin.client(volumeKind);
      await driver.Create({ Name: 'data' });
      for (const _ of ['once', 'again']) {
        const { Mountpoint = '' } = await driver.Mount({ Name: 'data', ID: 'one', Context: as('1001:1002') });
        expect(Mountpoint).toBe(join(root, 'users/one'));
        writeFileSync(join(Mountpoint, 'file'), '');
        expect(statSync(join(Mountpoint, 'file'))).toMatchObject({ uid: 0, gid: 0 });
      }
      expect(statSync(join(device, 'data/file'))).toMatchObject({ uid: 1001, gid: 1002 });
      expect(mounted()).toEqual([join(root, 'all'), join(root, 'users/one')]);
    }
    // As a kill in the middle of a Mount leaves it.
    mkdirSync(join(root, 'users/two'));
    await using plugin = await start();
    const driver = plugin.client(volumeKind);
    expect(readdirSync(join(root, 'users'))).toEqual(['one']);
    for (const ID of ['one', 'one', 'two', 'never']) await driver.Unmount({ Name: 'data', ID });
    expect(mounted()).toEqual([join(root, 'all')]);
    expect(readdirSync(join(root, 'users'))).toEqual([]);
  });

  test('without a context the options of the volume count, and with one that does not tell the user nothing is guessed', async () => {
    await using plugin = await start();
    const driver = plugin.client(volumeKind);
    await driver.Create({ Name: 'data', Opts: { as: '1001', user: '33' } });
    expect((await driver.Get({ Name: 'data' })).Volume?.Status).toEqual({ as: '1001', user: '33' });
    const { Mountpoint = '' } = await driver.Mount({ Name: 'data', ID: 'one' });
    writeFileSync(join(device, 'data/file'), '');
    expect(() => writeFileSync(join(Mountpoint, 'file'), 'by root')).toThrow('EACCES');
    await driver.Unmount({ Name: 'data', ID: 'one' });
    await driver.Create({ Name: 'plain' });
    const { Container, ...rest } = as('1001');
    const untold = { ...rest, Container: { ...Container, User: 'www', UID: undefined, GID: undefined } };
    await expect(driver.Mount({ Name: 'plain', ID: 'two', Context: untold })).rejects.toThrow(
      'does not tell which user "www" is: say volume-opt=user=UID:GID',
    );
    expect(mounted()).toEqual([join(root, 'all')]);
  });

  test.each(['..', '../x', 'a/../b', '/a', 'a//b', 'a/', '.hidden', 'a/.b', '', `a${'/b'.repeat(100)}`])(
    'no volume is called %j',
    async (Name) => {
      await using plugin = await start();
      const driver = plugin.client(volumeKind);
      await expect(driver.Create({ Name })).rejects.toThrow('a volume cannot be called');
      await expect(driver.Remove({ Name })).rejects.toThrow('no such volume');
    },
  );

  test('an option that it has not got, and a user that is none, are refused', async () => {
    await using plugin = await start();
    const driver = plugin.client(volumeKind);
    await expect(driver.Create({ Name: 'data', Opts: { size: '1g' } })).rejects.toThrow('it has as and user');
    await expect(driver.Create({ Name: 'data', Opts: { as: 'alice' } })).rejects.toThrow('as takes UID or UID:GID');
  });
});

test('a volume that cannot be mounted says why', async () => {
  const options = { device: join(directory, 'none'), root };
  const start = startForTest(sharedMount, { name: 'shared-mount', carrier: 'in-process', options });
  await expect(start).rejects.toThrow(`${options.device} cannot be mounted on ${root}/all: `);
});
