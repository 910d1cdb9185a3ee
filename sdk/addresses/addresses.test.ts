import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AddressPools, dockerPools, Pool, type StoredAddress, type StoredPool, uniqueLocalPool } from '../addresses.js';
import { DurableMap } from '../state.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-addresses-');
});
afterEach(() => rmSync(directory, { recursive: true }));

const any = { space: 's', family: 4, sources: dockerPools } as const;

test('the state is a map that says it all, at every step', () => {
  const state = new Map<string, StoredPool | StoredAddress>();
  const again = () => new AddressPools(new Map(state));
  const pools = new AddressPools(state);
  const { id } = pools.requestPool({ ...any, pool: '10.1.0.0/29', holder: 'network' });
  expect(id).toBe('s/10.1.0.0/29');
  expect(() => again().requestPool({ ...any, pool: '10.1.0.0/16' })).toThrow('Pool overlaps');
  expect(pools.requestAddress(id, '', 'a')).toBe('10.1.0.1/29');
  expect(again().requestAddress(id, '')).toBe('10.1.0.2/29');
  expect(() => again().requestAddress(id, '10.1.0.1')).toThrow('Address already in use');
  pools.releaseAddressesOf(id, 'a');
  expect(again().requestAddress(id, '10.1.0.1')).toBe('10.1.0.1/29');
  pools.requestAddress(id, '', 'b');
  pools.releasePoolsOf('network');
  expect([...state]).toEqual([]);
  expect(() => pools.requestAddress(id, '')).toThrow(expect.objectContaining({ class: 'NotFound' }));
});

test('a pool that is given back, however far that came, leaves nothing to the next of its name', () => {
  const state = new Map<string, StoredPool | StoredAddress>();
  const pools = new AddressPools(state);
  const { id } = pools.requestPool({ ...any, pool: '10.1.0.0/24' });
  for (const _ of '123') pools.requestAddress(id, '');
  for (let steps = 0; steps <= 4; steps++) {
    const cut = new Map(state);
    let left = steps;
    const dying = new AddressPools({
      entries: () => cut.entries(),
      set: () => {},
      delete(key) {
        if (left-- === 0) throw new Error('killed');
        cut.delete(key);
      },
    });
    try {
      dying.releasePool(id);
    } catch (error) {
      expect(String(error)).toContain('killed');
    }
    const next = new AddressPools(cut);
    if (cut.has(id)) next.releasePool(id);
    next.requestPool({ ...any, pool: '10.1.0.0/24' });
    expect([...cut.keys()]).toEqual([id]);
  }
});

test('an address that cannot be kept is not given', () => {
  const map = new DurableMap<StoredPool | StoredAddress>(join(directory, 'state'), silentLogger);
  const pools = new AddressPools(map);
  const { id } = pools.requestPool({ ...any, pool: '10.1.0.0/24' });
  map.close();
  expect(() => pools.requestAddress(id, '10.1.0.7')).toThrow();
  const next = new AddressPools(new DurableMap<StoredPool | StoredAddress>(join(directory, 'state'), silentLogger));
  expect(next.requestAddress(id, '10.1.0.7')).toBe('10.1.0.7/24');
});

test('IPv6: a block of this host’s own, and addresses in it', () => {
  const pools = new AddressPools(new Map());
  const sources = [uniqueLocalPool('this host')];
  expect(uniqueLocalPool('another host')).not.toEqual(sources[0]);
  const six = { space: 's', family: 6, sources } as const;
  const { id, pool } = pools.requestPool(six);
  expect(pool).toMatch(/^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/);
  expect(pools.requestPool(six).pool).not.toBe(pool);
  expect(pools.requestAddress(id, '')).toBe(pool.replace('/64', '1/64'));
  expect(() => pools.requestAddress(id, '10.0.0.1')).toThrow('out of range');
});

test('a pool alone knows who has what', () => {
  const pool = new Pool({ v: 1, id: 'x', pool: '10.1.0.0/24', subPool: '10.1.0.128/31' });
  pool.take('10.1.0.1', 'gateway');
  expect([pool.take('', 'a'), pool.take('', 'b')]).toEqual(['10.1.0.128/24', '10.1.0.129/24']);
  expect(pool.holderOf('10.1.0.1')).toBe('gateway');
  expect(pool.holderOf('10.1.0.2')).toBeUndefined();
  expect(() => pool.take('', 'c')).toThrow(expect.objectContaining({ class: 'Unavailable' }));
});
