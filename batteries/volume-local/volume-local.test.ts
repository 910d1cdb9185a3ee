import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unmountAll } from '@cleat/linux/mount/mount';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import type { Client } from '@cleat/protocol/kinds/kind';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { startForTest, type Tested } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import module from './main.js';

describe.each(['in-process', 'socket'] as const)('volume-local, %s', (carrier) => {
  let directory: string;
  let root: string;
  let extension: Tested;
  let driver: Client<typeof volumeKind>;

  const start = async () => {
    extension = await startForTest(module, { name: 'local', carrier, options: { root } });
    driver = extension.client(volumeKind);
  };

  beforeEach(async () => {
    directory = mkdtempSync('/tmp/cleat-vl-');
    root = join(directory, 'volumes');
    await start();
  });

  afterEach(async () => {
    await extension.close();
    unmountAll(directory);
    rmSync(directory, { recursive: true });
  });

  const tmpfs = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,mode=1777' };

  test('create is idempotent, the data lies in _data, remove takes it away', async () => {
    const before = Date.now();
    await driver.Create({ Name: 'data' });
    const { Mountpoint = '' } = await driver.Mount({ Name: 'data', ID: 'a' });
    expect(Mountpoint).toBe(join(root, 'data', '_data'));
    writeFileSync(join(Mountpoint, 'file'), 'x');
    await driver.Create({ Name: 'data' });
    expect(readFileSync(join(Mountpoint, 'file'), 'utf8')).toBe('x');
    const { Volume } = await driver.Get({ Name: 'data' });
    expect(Volume).toMatchObject({ Name: 'data', Mountpoint });
    expect(Math.abs(Date.parse(Volume?.CreatedAt ?? '') - before)).toBeLessThan(60_000);
    expect((await driver.List({})).Volumes).toMatchObject([{ Name: 'data' }]);
    await driver.Unmount({ Name: 'data', ID: 'a' });
    await driver.Remove({ Name: 'data' });
    expect((await driver.List({})).Volumes).toEqual([]);
    expect(existsSync(join(root, 'data'))).toBe(false);
    await expect(driver.Get({ Name: 'data' })).rejects.toMatchObject({ class: 'NotFound', message: 'no such volume' });
  });

  test('names and options are refused in Docker’s words', async () => {
    const create = (Name: string, Opts = {}) => driver.Create({ Name, Opts });
    const refused = (message: RegExp) => ({ class: 'InvalidParameter', message: expect.stringMatching(message) });
    await expect(create('a')).rejects.toMatchObject(refused(/^volume name is too short/));
    await expect(create('a'.repeat(256))).rejects.toMatchObject(refused(/^volume name is too long/));
    await expect(create('../x')).rejects.toMatchObject(refused(/^"\.\.\/x" includes invalid characters for a local/));
    const refusals: [Record<string, string>, RegExp][] = [
      [{ color: 'red' }, /^invalid option: "color"$/],
      [{ type: 'nfs' }, /^missing required option: "device"$/],
      [{ device: '/dev/sda1' }, /^missing required option: "type"$/],
      [{ o: 'rw', type: 'nfs' }, /^missing required option: "device"$/],
      [{ o: 'rw', device: '/dev/sda1' }, /^missing required option: "type"$/],
      [{ size: 'hello' }, /^invalid size: 'hello'$/],
      [{ size: '-1' }, /^invalid size: '-1'$/],
      [{ size: '1g' }, /^quota size requested but no quota support/],
      [{ size: '1g', type: 'nfs' }, /^quota size requested but no quota support/],
      [{ type: 'cifs', device: '//server:445/a' }, /^port not allowed in CIFS device URL, include 'port' in 'o='$/],
      [{ type: 'cifs', device: '//[2001:db8::1]:445/a' }, /^port not allowed in CIFS device URL/],
      [{ type: 'cifs', device: ':::' }, /^error parsing mount device url: parse ":::": missing protocol scheme$/],
      [
        { type: 'cifs', device: '//server:smb/a' },
        /^error parsing mount device url: .*: invalid port ":smb" after host$/,
      ],
    ];
    for (const [Opts, message] of refusals) await expect(create('vv', Opts)).rejects.toMatchObject(refused(message));
    await expect(driver.Remove({ Name: '..' })).rejects.toMatchObject({ class: 'NotFound' });
    expect((await driver.List({})).Volumes).toEqual([]);
  });

  test('options that mean nothing, and a name that is taken, are accepted as in Docker', async () => {
    const create = (Name: string, Opts = {}) => driver.Create({ Name, Opts });
    await create('plain', { size: '0' });
    await create('empty', { type: '', device: '', o: '' });
    await create('share', { type: 'cifs', device: '//server/Program Files', o: 'port=445' });
    const { Mountpoint = '' } = await driver.Mount({ Name: 'plain', ID: 'a' });
    expect(isMountPoint(Mountpoint)).toBe(false);
    await create('plain', tmpfs);
    await driver.Mount({ Name: 'plain', ID: 'b' });
    expect(isMountPoint(Mountpoint)).toBe(false);
    await expect(create('plain', { color: 'red' })).rejects.toMatchObject({ class: 'InvalidParameter' });
  });

  test('a mount that fails says so in Docker’s words, and keeps passwords to itself', async () => {
    const failing: [Record<string, string>, string, RegExp][] = [
      [{ type: 'tmpfs', device: '' }, '', /^missing device in volume options$/],
      [{ type: 'nfs9', device: ':/x' }, '', /^failed to mount local volume: mount :\/x:\/.*_data: no such device \(/],
      [{ type: 'none', device: '/nowhere', o: 'bind' }, ', data: bind', /: no such file or directory \(/],
      [{ type: 'tmpfs', device: 'tmpfs', o: 'size=lots' }, ', data: size=lots', /: invalid argument \(wrong fs type, /],
      [{ type: 'none', device: '/etc/hostname', o: 'bind' }, ', data: bind', /: not a directory$/],
      [{ type: 'ext4', device: '/etc/hostname' }, '', /: block device required \(/],
      [{ type: 'tmpfs', device: 'tmpfs', o: 'password=se,x=1' }, ', data: password=********,x=1', /: invalid argument/],
    ];
    for (const [at, [Opts, data, message]] of failing.entries()) {
      await driver.Create({ Name: `v${at}`, Opts });
      await expect(driver.Mount({ Name: `v${at}`, ID: 'a' }), Opts.type).rejects.toMatchObject({
        class: 'System',
        message: expect.stringMatching(message),
      });
      const error = await driver.Mount({ Name: `v${at}`, ID: 'a' }).catch((cause: Error) => cause.message);
      expect(error).toContain(data);
    }
  });

  test('ro is read-only, whatever is mounted', async () => {
    const source = join(directory, 'source');
    mkdirSync(source);
    await driver.Create({ Name: 'bound', Opts: { type: 'none', device: source, o: 'bind,ro' } });
    await driver.Create({ Name: 'memory', Opts: { ...tmpfs, o: 'ro,size=1m' } });
    for (const Name of ['bound', 'memory']) {
      const { Mountpoint = '' } = await driver.Mount({ Name, ID: 'a' });
      expect(() => writeFileSync(join(Mountpoint, 'file'), 'x')).toThrow(/EROFS/);
    }
    writeFileSync(join(source, 'file'), 'x');
  });

  test('a mount is made for the first holder and undone after the last, whatever is repeated', async () => {
    await driver.Create({ Name: 'scratch', Opts: tmpfs });
    const data = join(root, 'scratch', '_data');
    expect(isMountPoint(data)).toBe(false);
    await driver.Mount({ Name: 'scratch', ID: 'a' });
    await driver.Mount({ Name: 'scratch', ID: 'b' });
    await driver.Unmount({ Name: 'scratch', ID: 'a' });
    await driver.Unmount({ Name: 'scratch', ID: 'a' });
    await driver.Unmount({ Name: 'scratch', ID: 'never' });
    expect(isMountPoint(data)).toBe(true);
    await expect(driver.Remove({ Name: 'scratch' })).rejects.toMatchObject({ message: 'volume has active mounts' });
    await driver.Unmount({ Name: 'scratch', ID: 'b' });
    expect(isMountPoint(data)).toBe(false);
    await driver.Remove({ Name: 'scratch' });
  });

  test('the holders of a mount survive the process', async () => {
    await driver.Create({ Name: 'scratch', Opts: tmpfs });
    await driver.Mount({ Name: 'scratch', ID: 'a' });
    await extension.close();
    await start();
    const data = join(root, 'scratch', '_data');
    expect(isMountPoint(data)).toBe(true);
    await driver.Mount({ Name: 'scratch', ID: 'b' });
    await driver.Unmount({ Name: 'scratch', ID: 'b' });
    expect(isMountPoint(data)).toBe(true);
    await driver.Unmount({ Name: 'scratch', ID: 'a' });
    expect(isMountPoint(data)).toBe(false);
  });

  test('after a reboot nobody of before holds anything', async () => {
    await driver.Create({ Name: 'scratch', Opts: tmpfs });
    await driver.Mount({ Name: 'scratch', ID: 'before' });
    unmountAll(directory);
    await driver.Mount({ Name: 'scratch', ID: 'after' });
    await driver.Unmount({ Name: 'scratch', ID: 'after' });
    expect(isMountPoint(join(root, 'scratch', '_data'))).toBe(false);
  });

  test('a bind, one whose source is missing, and a removal that does not touch what was bound', async () => {
    const source = join(directory, 'source');
    const bind = { type: 'none', o: 'bind', device: source };
    await driver.Create({ Name: 'bound', Opts: bind });
    await expect(driver.Mount({ Name: 'bound', ID: 'a' })).rejects.toMatchObject({
      message: expect.stringMatching(/^failed to mount local volume: mount .*source:.*no such file or directory/),
    });
    mkdirSync(source);
    writeFileSync(join(source, 'keep'), 'x');
    const { Mountpoint = '' } = await driver.Mount({ Name: 'bound', ID: 'a' });
    expect(readFileSync(join(Mountpoint, 'keep'), 'utf8')).toBe('x');
    await driver.Unmount({ Name: 'bound', ID: 'a' });
    await driver.Remove({ Name: 'bound' });
    expect(readFileSync(join(source, 'keep'), 'utf8')).toBe('x');
  });

  test('a _data that somebody made a symlink is not followed', async () => {
    await driver.Create({ Name: 'link' });
    rmSync(join(root, 'link', '_data'), { recursive: true });
    mkdirSync(join(directory, 'victim'));
    symlinkSync(join(directory, 'victim'), join(root, 'link', '_data'));
    await expect(driver.Remove({ Name: 'link' })).rejects.toMatchObject({ message: expect.stringMatching(/outside/) });
    expect(existsSync(join(directory, 'victim'))).toBe(true);
  });
});
