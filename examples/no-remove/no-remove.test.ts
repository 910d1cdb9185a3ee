import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { volumeKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import noRemove from './no-remove.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync('/tmp/cleat-no-remove-');
});
afterEach(() => rmSync(root, { recursive: true }));

describe.each(['in-process', 'socket'] as const)('no-remove, %s', (carrier) => {
  const start = () => startForTest(noRemove, { name: 'no-remove', carrier, options: { root } });

  test('data is there again after remove and create, and after a restart', async () => {
    {
      await using plugin = await start();
      const driver = plugin.client(volumeKind);
      await driver.Create({ Name: 'data' });
      const { Mountpoint = '' } = await driver.Mount({ Name: 'data', ID: 'one' });
      writeFileSync(join(Mountpoint, 'kept'), 'still here');
      await driver.Unmount({ Name: 'data', ID: 'one' });
      await driver.Remove({ Name: 'data' });
      expect((await driver.List({})).Volumes).toEqual([]);
      await expect(driver.Mount({ Name: 'data', ID: 'two' })).rejects.toThrow('no such volume: data');
      await driver.Create({ Name: 'data' });
    }
    await using plugin = await start();
    const driver = plugin.client(volumeKind);
    expect((await driver.List({})).Volumes).toEqual([{ Name: 'data', Mountpoint: join(root, 'data') }]);
    const { Mountpoint = '' } = await driver.Mount({ Name: 'data', ID: 'three' });
    expect(readFileSync(join(Mountpoint, 'kept'), 'utf8')).toBe('still here');
  });

  test('a name cannot lead out of the root', async () => {
    await using plugin = await start();
    const driver = plugin.client(volumeKind);
    await expect(driver.Create({ Name: '../x' })).rejects.toThrow('cannot be called');
  });
});
