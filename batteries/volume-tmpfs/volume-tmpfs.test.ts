import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { bind, mountTmpfs, unmountAll } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import type { Client } from '@cleat/protocol/kinds/kind';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { startForTest, type Tested } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import module from './main.js';

describe.each(['in-process', 'socket'] as const)('volume-tmpfs, %s', (carrier) => {
  let directory: string;
  let stateDir: string;
  let extension: Tested;
  let driver: Client<typeof volumeKind>;

  const start = async () => {
    extension = await startForTest(module, { name: 'tmpfs', carrier, options: { stateDir } });
    driver = extension.client(volumeKind);
  };

  beforeEach(async () => {
    directory = mkdtempSync('/tmp/cleat-vt-');
    stateDir = join(directory, 'state');
    await start();
  });

  afterEach(async () => {
    await extension.close();
    unmountAll(directory);
    rmSync(directory, { recursive: true });
  });

  const mounts = (path = directory) => listMounts(path);
  const mount = async (Name: string) => (await driver.Mount({ Name, ID: 'a' })).Mountpoint ?? '';
  const status = async (Name: string) => (await driver.Get({ Name })).Volume?.Status;

  test('contents stay from one holder to the next, and end with the volume', async () => {
    await driver.Create({ Name: 'scratch' });
    const data = join(stateDir, 'scratch', '_data');
    expect((await driver.Path({ Name: 'scratch' })).Mountpoint).toBe(data);
    expect(mounts()).toEqual([]);
    expect(await mount('scratch')).toBe(data);
    writeFileSync(join(data, 'file'), 'x');
    await driver.Mount({ Name: 'scratch', ID: 'b' });
    for (const ID of ['a', 'a', 'b', 'never']) await driver.Unmount({ Name: 'scratch', ID });
    await driver.Create({ Name: 'scratch', Opts: { size: '1m' } });
    await mount('scratch');
    expect(mounts()).toMatchObject([{ target: data, type: 'tmpfs' }]);
    expect(mounts()[0]?.options).toEqual(expect.arrayContaining(['nosuid', 'nodev']));
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('x');
    expect((await driver.List({})).Volumes).toMatchObject([{ Name: 'scratch', Mountpoint: data }]);
    await driver.Remove({ Name: 'scratch' });
    expect(mounts()).toEqual([]);
    expect(readdirSync(stateDir)).toEqual([]);
    for (const method of ['Get', 'Path', 'Remove'] as const) {
      await expect(driver[method]({ Name: 'scratch' })).rejects.toMatchObject({
        class: 'NotFound',
        message: 'no such volume',
      });
    }
  });

  test.each([
    [{}, '1777', '0:0', {}],
    [
      { size: '64m', mode: '0750', uid: '1000', gid: '33', inodes: '10' },
      '750',
      '1000:33',
      { size: 1 << 26, files: 10 },
    ],
    [{ size: '1.5 MiB', mode: '0' }, '0', '0:0', { size: 3 << 19 }],
    [{ size: '4097', uid: '4294967294' }, '1777', '4294967294:0', { size: 8192 }],
  ] as const)('options %j', async (Opts, mode, owner, { size, files }: { size?: number; files?: number }) => {
    await driver.Create({ Name: 'vv', Opts });
    expect(await status('vv')).toEqual({ Options: { mode: '1777', ...Opts }, Mounted: false });
    const data = await mount('vv');
    const facts = statSync(data);
    expect((facts.mode & 0o7777).toString(8)).toBe(mode);
    expect(`${facts.uid}:${facts.gid}`).toBe(owner);
    if (size !== undefined) expect(statfsSync(data).blocks * statfsSync(data).bsize).toBe(size);
    if (files !== undefined) expect(statfsSync(data).files).toBe(files);
    writeFileSync(join(data, 'file'), 'x'.repeat(5000));
    expect(await status('vv')).toMatchObject({
      Options: Opts,
      Mounted: true,
      UsedBytes: 8192,
      UsedInodes: 2,
      ...(size === undefined ? {} : { SizeBytes: size }),
    });
  });

  test('a percentage is one of the host’s memory', async () => {
    await driver.Create({ Name: 'half', Opts: { size: '50%' } });
    await driver.Create({ Name: 'quarter', Opts: { size: '25%' } });
    const half = statfsSync(await mount('half')).blocks;
    expect(Math.abs(statfsSync(await mount('quarter')).blocks - half / 2)).toBeLessThanOrEqual(1);
  });

  test('names and options are refused, by name and with what is allowed', async () => {
    const create = (Name: string, Opts = {}) => driver.Create({ Name, Opts });
    const refused = (message: RegExp) => ({ class: 'InvalidParameter', message: expect.stringMatching(message) });
    await expect(create('a')).rejects.toMatchObject(refused(/^volume name is too short/));
    await expect(create('../x')).rejects.toMatchObject(refused(/^"\.\.\/x" includes invalid characters for a local/));
    for (const name of ['o', 'nr_inodes', 'constructor', '__proto__', '']) {
      await expect(create('vv', JSON.parse(`{${JSON.stringify(name)}:"1"}`))).rejects.toMatchObject(
        refused(new RegExp(`^invalid option: "${name}": a tmpfs volume has size, mode, uid, gid, inodes$`)),
      );
    }
    const bad: Record<string, string[]> = {
      size: ['', '0', '0%', '1.5%', '-1', 'lots', '64m,uid=1', '1%,mode=0', '1e9', '99999p', '1m;'],
      mode: ['', '8', '17777', '-1', 'rwx', '0o777', '755,size=1', '755 '],
      uid: ['', 'root', '-1', '4294967295', '1.5', '1,gid=0', '0x10', ' 1'],
      gid: ['wheel', '1,size=1'],
      inodes: ['0', '1k', '1,size=1', '99999999999999999'],
    };
    for (const [name, values] of Object.entries(bad)) {
      for (const value of values) {
        await expect(create('vv', { [name]: value }), `${name}=${value}`).rejects.toMatchObject({
          class: 'InvalidParameter',
          message: expect.stringContaining(`invalid option: ${name}=${JSON.stringify(value)}: it must be `),
        });
      }
    }
    expect(readdirSync(stateDir)).toEqual([]);
  });

  test('no matter what is killed in between, a volume is mounted once, and after a reboot it is there and empty', async () => {
    await driver.Create({ Name: 'kept', Opts: { size: '1m' } });
    writeFileSync(join(await mount('kept'), 'file'), 'x');
    await extension.close();
    await start();
    expect(readFileSync(join(await mount('kept'), 'file'), 'utf8')).toBe('x');
    expect(mounts()).toHaveLength(1);
    unmountAll(directory);
    expect(await status('kept')).toEqual({ Options: { mode: '1777', size: '1m' }, Mounted: false });
    expect(readdirSync(await mount('kept'))).toEqual([]);
    expect(await status('kept')).toMatchObject({ Mounted: true, SizeBytes: 1 << 20 });
  });

  test('a volume that is half made or half removed is swept at the start, with its mounts', async () => {
    await driver.Create({ Name: 'doomed' });
    writeFileSync(join(await mount('doomed'), 'file'), 'x');
    await driver.Create({ Name: 'kept' });
    await mount('kept');
    await extension.close();
    renameSync(join(stateDir, 'doomed'), join(stateDir, '.removed-1'));
    mkdirSync(join(stateDir, '.removed-2'));
    await start();
    await expect.poll(() => readdirSync(stateDir)).toEqual(['kept']);
    expect(mounts()).toMatchObject([{ target: join(stateDir, 'kept', '_data') }]);
  });

  test('a removal does not touch what somebody else mounted within', async () => {
    await driver.Create({ Name: 'outer' });
    const inner = join(await mount('outer'), 'inner');
    mkdirSync(inner);
    const elsewhere = join(directory, 'elsewhere');
    mkdirSync(elsewhere);
    mountTmpfs(elsewhere);
    writeFileSync(join(elsewhere, 'precious'), 'x');
    bind(elsewhere, inner);
    await driver.Remove({ Name: 'outer' });
    expect(readdirSync(elsewhere)).toEqual(['precious']);
    expect(mounts()).toMatchObject([{ target: elsewhere }]);
  });

  test('damaged options are shown, nothing is mounted by them, and the volume can be removed', async () => {
    const file = join(stateDir, 'bad', 'options.json');
    await driver.Create({ Name: 'bad', Opts: { size: '1m' } });
    for (const text of ['', '[]', '{"size":1}', '{"size":"1m,mode=0"}', '{"color":"red"}']) {
      writeFileSync(file, text);
      await expect(mount('bad'), text).rejects.toMatchObject({
        class: 'System',
        message: expect.stringContaining(`${file} is damaged: `),
      });
      expect((await driver.List({})).Volumes).toMatchObject([
        { Name: 'bad', Status: { Error: expect.stringContaining('is damaged') } },
      ]);
    }
    expect(mounts()).toEqual([]);
    await driver.Remove({ Name: 'bad' });
    expect(existsSync(join(stateDir, 'bad'))).toBe(false);
  });

  test('its directory may be reached by a symlink', async () => {
    await extension.close();
    const link = join(directory, 'link');
    symlinkSync(stateDir, link);
    const state = stateDir;
    stateDir = link;
    await start();
    await driver.Create({ Name: 'linked' });
    expect(await mount('linked')).toBe(join(state, 'linked', '_data'));
    await mount('linked');
    expect(mounts()).toHaveLength(1);
    await driver.Remove({ Name: 'linked' });
    expect(mounts()).toEqual([]);
  });
});
