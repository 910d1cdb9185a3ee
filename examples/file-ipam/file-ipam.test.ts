import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ipamKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import fileIpam from './file-ipam.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync('/tmp/cleat-file-ipam-');
});
afterEach(() => rmSync(root, { recursive: true }));

describe.each(['in-process', 'socket'] as const)('file-ipam, %s', (carrier) => {
  const file = () => join(root, 'addresses.json');
  const start = () => startForTest(fileIpam, { name: 'file-ipam', carrier, options: { file: file() } });
  const pool = { AddressSpace: 'file-ipam', SubPool: '', Options: null, V6: false };

  test('pools and addresses are in the file, and are there after a restart', async () => {
    {
      await using plugin = await start();
      const ipam = plugin.client(ipamKind);
      const first = await ipam.RequestPool({ ...pool, Pool: '' });
      expect(first).toMatchObject({ PoolID: '10.210.0.0/24', Pool: '10.210.0.0/24' });
      expect(await ipam.RequestPool({ ...pool, Pool: '' })).toMatchObject({ Pool: '10.210.1.0/24' });
      await expect(ipam.RequestPool({ ...pool, Pool: '10.210.0.0/16' })).rejects.toThrow('is taken');
      const request = { PoolID: first.PoolID, Options: { 'com.docker.network.endpoint.name': 'web' } };
      expect((await ipam.RequestAddress({ ...request, Address: '' })).Address).toBe('10.210.0.1/24');
      expect((await ipam.RequestAddress({ ...request, Address: '10.210.0.9' })).Address).toBe('10.210.0.9/24');
      await expect(ipam.RequestAddress({ ...request, Address: '10.210.0.9' })).rejects.toThrow('taken by web');
      await expect(ipam.RequestAddress({ ...request, Address: '10.211.0.9' })).rejects.toThrow('out of range');
      await ipam.ReleasePool({ PoolID: '10.210.1.0/24' });
    }
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({
      '10.210.0.0/24': { range: '10.210.0.0/24', addresses: { '10.210.0.1': 'web', '10.210.0.9': 'web' } },
    });
    await using plugin = await start();
    const ipam = plugin.client(ipamKind);
    const request = { PoolID: '10.210.0.0/24', Address: '', Options: null };
    expect((await ipam.RequestAddress(request)).Address).toBe('10.210.0.2/24');
    await ipam.ReleaseAddress({ PoolID: '10.210.0.0/24', Address: '10.210.0.1' });
    expect((await ipam.RequestAddress(request)).Address).toBe('10.210.0.1/24');
  });

  test('a range within a pool is kept to, and says when it is full', async () => {
    await using plugin = await start();
    const ipam = plugin.client(ipamKind);
    const { PoolID } = await ipam.RequestPool({ ...pool, Pool: '10.9.0.0/24', SubPool: '10.9.0.64/30' });
    const next = async () => (await ipam.RequestAddress({ PoolID, Address: '', Options: null })).Address;
    const all = ['10.9.0.64/24', '10.9.0.65/24', '10.9.0.66/24', '10.9.0.67/24'];
    expect([await next(), await next(), await next(), await next()]).toEqual(all);
    await expect(next()).rejects.toThrow('no available addresses');
  });
});
