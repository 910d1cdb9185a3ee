import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { readPools } from '@cleat/sdk/addresses';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDriver } from './driver.js';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'cleat-ipam-'));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const context = { signal: new AbortController().signal };
/** A process that starts on what the former one left. */
async function start(pools: { base: string; size: number }[] = []) {
  const ipam = createDriver({ stateDir, pools }, silentLogger);
  return {
    pool: async (Pool = '', more: { SubPool?: string; inUse?: string; V6?: boolean } = {}) =>
      await ipam.RequestPool(
        {
          AddressSpace: 'LocalDefault',
          Pool,
          SubPool: more.SubPool ?? '',
          V6: more.V6 ?? false,
          Options: more.inUse ? { 'io.cleat.ipam.in-use': more.inUse } : null,
        },
        context,
      ),
    take: async (PoolID: string, Address = '') =>
      (await ipam.RequestAddress({ PoolID, Address, Options: null }, context))?.Address,
    release: async (PoolID: string, Address: string) => await ipam.ReleaseAddress({ PoolID, Address }, context),
    releasePool: async (PoolID: string) => await ipam.ReleasePool({ PoolID }, context),
  };
}

test('pools are chosen around what is in use', async () => {
  const ipam = await start();
  expect(await ipam.pool('', { inUse: '172.17.0.0/16,172.18.4.0/24' })).toMatchObject({ Pool: '172.19.0.0/16' });
  expect(await ipam.pool('', { inUse: '172.17.0.0/16,172.18.4.0/24' })).toMatchObject({ Pool: '172.20.0.0/16' });
  await expect(ipam.pool('172.20.7.0/24')).rejects.toThrow('Pool overlaps with other one on this address space');
  expect((await ipam.pool('', { V6: true }))?.Pool).toMatch(/^fd.*::\/64$/);
});

test('the lowest free address is the next one, also after a restart', async () => {
  let ipam = await start();
  const { PoolID = '' } = (await ipam.pool('10.99.0.0/29')) ?? {};
  expect(await ipam.take(PoolID, '10.99.0.1')).toBe('10.99.0.1/29');
  expect(await ipam.take(PoolID)).toBe('10.99.0.2/29');
  expect(await ipam.take(PoolID)).toBe('10.99.0.3/29');
  await ipam.release(PoolID, '10.99.0.2');
  ipam = await start();
  for (const last of [2, 4, 5, 6]) expect(await ipam.take(PoolID)).toBe(`10.99.0.${last}/29`);
  await expect(ipam.take(PoolID)).rejects.toThrow('no available addresses on this pool');
  await expect(ipam.take(PoolID, '10.99.0.4')).rejects.toThrow('Address already in use');
  await expect(ipam.take(PoolID, '10.99.1.4')).rejects.toThrow('requested address is out of range');
  await ipam.releasePool(PoolID);
  await expect(ipam.take(PoolID)).rejects.toThrow('cannot find address pool');
});

test('the addresses of a holder are given back without its name, also after a restart, and nobody else’s', async () => {
  const of = (holder: string) => ({ Options: { 'io.cleat.ipam.holder': holder } });
  const create = () => createDriver({ stateDir, pools: [] }, silentLogger);
  let ipam = create();
  const pool = (Pool: string, holder: string) =>
    ipam.RequestPool({ AddressSpace: 'LocalDefault', Pool, SubPool: '', V6: false, ...of(holder) }, context);
  const PoolID = (await pool('10.97.0.0/24', 'network-a'))?.PoolID ?? '';
  await pool('10.98.0.0/24', 'network-b');
  const take = (Address: string, holder: string) => ipam.RequestAddress({ PoolID, Address, ...of(holder) }, context);
  await take('10.97.0.2', 'endpoint-a');
  await take('10.97.0.3', 'endpoint-b');
  ipam = create();
  await ipam.ReleaseAddress({ PoolID, Address: '', ...of('endpoint-a') }, context);
  await ipam.ReleasePool({ PoolID: '', ...of('network-b') }, context);
  for (const release of [
    () => ipam.ReleaseAddress({ PoolID, Address: '' }, context),
    () => ipam.ReleasePool({ PoolID: '', Options: {} }, context),
  ]) {
    await expect(async () => await release()).rejects.toMatchObject({ class: 'InvalidParameter' });
  }
  ipam = create();
  await take('10.97.0.2', 'endpoint-c');
  await expect(async () => await take('10.97.0.3', 'endpoint-c')).rejects.toThrow('Address already in use');
  await pool('10.98.0.0/24', 'network-c');
  await expect(async () => await pool('10.97.0.0/24', 'network-c')).rejects.toThrow('Pool overlaps');
});

test('a sub-pool limits the choice only', async () => {
  const ipam = await start();
  const { PoolID = '' } = (await ipam.pool('10.99.0.0/16', { SubPool: '10.99.8.0/30' })) ?? {};
  expect(await ipam.take(PoolID, '10.99.3.3')).toBe('10.99.3.3/16');
  expect(await ipam.take(PoolID)).toBe('10.99.8.0/16');
  expect(await ipam.take(PoolID)).toBe('10.99.8.1/16');
  await expect(ipam.pool('10.98.0.0/24', { SubPool: '10.99.8.0/30' })).rejects.toThrow('invalid address subpool');
});

test('configured pools are split, and run out', async () => {
  const ipam = await start(readPools('[{"base":"10.99.0.0/23","size":24}]'));
  expect((await ipam.pool())?.Pool).toBe('10.99.0.0/24');
  expect((await ipam.pool())?.Pool).toBe('10.99.1.0/24');
  await expect(ipam.pool()).rejects.toThrow('all predefined address pools have been fully subnetted');
  expect(() => readPools([{ base: '10.0.0.0/24', size: 16 }])).toThrow('does not fit');
});
