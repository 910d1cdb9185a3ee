import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unmountAll } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { volumeKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import quotaTmpfs from './quota-tmpfs.js';

const mebibyte = 1024 ** 2;
let root: string;
beforeEach(() => {
  root = mkdtempSync('/tmp/cleat-quota-tmpfs-');
});
afterEach(() => {
  unmountAll(root);
  rmSync(root, { recursive: true });
});

describe.each(['in-process', 'socket'] as const)('quota-tmpfs, %s', (carrier) => {
  const start = (options: Record<string, string> = {}) =>
    startForTest(quotaTmpfs, { name: 'quota-tmpfs', carrier, options: { root, total: '4m', size: '2m', ...options } });

  test('a volume holds what it may and no more, and holds it through a restart', async () => {
    let mountpoint: string;
    {
      await using plugin = await start();
      const driver = plugin.client(volumeKind);
      await driver.Create({ Name: 'scratch', Opts: { size: '1m' } });
      mountpoint = (await driver.Mount({ Name: 'scratch', ID: 'one' })).Mountpoint ?? '';
      writeFileSync(join(mountpoint, 'kept'), 'still here');
      expect(() => writeFileSync(join(mountpoint, 'large'), Buffer.alloc(mebibyte))).toThrow('ENOSPC');
      rmSync(join(mountpoint, 'large'));
      await driver.Unmount({ Name: 'scratch', ID: 'one' });
    }
    await using plugin = await start();
    const driver = plugin.client(volumeKind);
    expect((await driver.Mount({ Name: 'scratch', ID: 'two' })).Mountpoint).toBe(mountpoint);
    expect(readFileSync(join(mountpoint, 'kept'), 'utf8')).toBe('still here');
    expect(listMounts(root)).toHaveLength(1);
    const [listed] = (await driver.List({})).Volumes ?? [];
    expect(listed).toMatchObject({
      Name: 'scratch',
      Mountpoint: mountpoint,
      Status: { UsedBytes: 4096, LimitBytes: mebibyte, TotalBytes: 4 * mebibyte, FreeBytes: 3 * mebibyte },
    });
    await driver.Remove({ Name: 'scratch' });
    expect(listMounts(root)).toEqual([]);
    await expect(driver.Mount({ Name: 'scratch', ID: 'three' })).rejects.toThrow('no such volume');
  });

  test('empty files take memory, too, and so there is a limit for them', async () => {
    await using plugin = await start();
    const driver = plugin.client(volumeKind);
    await driver.Create({ Name: 'small', Opts: { size: '16k' } });
    const { Mountpoint = '' } = await driver.Mount({ Name: 'small', ID: 'one' });
    // Its own directory is the first.
    for (const name of ['a', 'b', 'c']) mkdirSync(join(Mountpoint, name));
    expect(() => mkdirSync(join(Mountpoint, 'd'))).toThrow('ENOSPC');
  });

  test('all volumes together get what there is, and no more, also after a restart', async () => {
    {
      await using plugin = await start();
      const driver = plugin.client(volumeKind);
      await driver.Create({ Name: 'usual' });
      await driver.Create({ Name: 'rounded', Opts: { size: '5000' } });
      await expect(driver.Create({ Name: 'more', Opts: { size: '2m' } })).rejects.toThrow(
        'volume more of 2m does not fit, 2040k of 4m are left: ask for less, remove a volume, or start the plugin with a larger --total',
      );
      // A volume that is there already takes nothing.
      await driver.Create({ Name: 'usual', Opts: { size: '4m' } });
      expect((await driver.Get({ Name: 'usual' })).Volume?.Status?.LimitBytes).toBe(2 * mebibyte);
    }
    await using plugin = await start({ total: '1m' });
    const driver = plugin.client(volumeKind);
    await driver.Mount({ Name: 'usual', ID: 'one' });
    await expect(driver.Create({ Name: 'tiny', Opts: { size: '4k' } })).rejects.toThrow(
      'volume tiny of 4k does not fit, nothing of 1m is left: remove a volume',
    );
    await driver.Remove({ Name: 'usual' });
    await driver.Create({ Name: 'tiny', Opts: { size: '4k' } });
  });

  test('a wrong size, option or name is refused', async () => {
    await using plugin = await start();
    const driver = plugin.client(volumeKind);
    for (const size of ['', '0', '-1', '50%', '64q', '1m,mode=777', '99999999p']) {
      await expect(driver.Create({ Name: 'odd', Opts: { size } })).rejects.toThrow('size must be a number of bytes');
    }
    await expect(driver.Create({ Name: 'odd', Opts: { sise: '1m' } })).rejects.toThrow('has no option sise');
    await expect(driver.Create({ Name: '../odd' })).rejects.toThrow('invalid characters');
    expect((await driver.List({})).Volumes).toEqual([]);
    await expect(start({ total: 'much' })).rejects.toThrow('total must be a number of bytes');
  });
});
