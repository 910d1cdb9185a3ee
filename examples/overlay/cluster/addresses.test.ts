import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DurableMap, type Logger } from '@cleat/sdk';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Etcd } from '../etcd/etcd.js';
import { FakeEtcd } from '../etcd/fake-etcd.fixture.js';
import { type Leases, Session } from '../etcd/session.js';
import { Addresses, type Claim, macOf } from './addresses.js';
import { Keys } from './keys.js';
import { joinPool, type SharedNetworks } from './networks.js';

const nothing = () => {};
const log: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log };
const keys = new Keys('/t');
const pool = '10.9.0.0/29';
let root: string;
let fake: FakeEtcd;
let open: { close(): void }[];

beforeEach(async () => {
  root = mkdtempSync('/tmp/cleat-overlay-');
  open = [];
  fake = await FakeEtcd.start();
  const networks: SharedNetworks = {};
  for (const host of ['a', 'b']) {
    joinPool(networks, { name: 'shop', cidr: pool, family: 4, sources: [], inUse: [], host, holder: '' });
  }
  fake.put(keys.networks, JSON.stringify(networks));
});
afterEach(async () => {
  for (const one of open) one.close();
  await fake[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

function hostCalled(host: string) {
  const etcd = new Etcd([fake.url], {}, 20_000);
  const leases = new DurableMap<Leases>(join(root, `${host}-leases`), log);
  const claims = new DurableMap<Claim>(join(root, `${host}-claims`), log);
  open.push(etcd, leases, claims);
  const session = new Session({ etcd, host, ttl: 5, grace: 5, journal: leases, log });
  const addresses = new Addresses(etcd, keys, session, claims);
  const claim = (container: string, requested = '') =>
    addresses.claim({ network: 'shop', pool, range: '', requested, holder: `id of ${container}`, container });
  return { addresses, claim, session };
}

describe('addresses of several hosts', () => {
  test('no two hosts have one address, also when both choose at once', async () => {
    const [a, b] = [hostCalled('a'), hostCalled('b')];
    const got = await Promise.all([a.claim('one'), b.claim('two'), a.claim('three'), b.claim('four')]);
    expect(got.toSorted()).toEqual(['10.9.0.2', '10.9.0.3', '10.9.0.4', '10.9.0.5']);
    await expect(b.claim('five', got[0])).rejects.toThrow('Address already in use');
    expect(await b.claim('five')).toBe('10.9.0.6');
    await expect(a.claim('six')).rejects.toThrow('no available addresses');
  });

  test('somebody else is quicker: another address is chosen', async () => {
    const a = hostCalled('a');
    let others = 2;
    fake.beforeCommit = () => {
      if (others > 0) fake.put(keys.address('shop', `10.9.0.${others--}`), '{"host":"b"}');
    };
    expect(await a.claim('one')).toBe('10.9.0.3');
    expect(a.addresses.ownOn('shop').map(({ address }) => address)).toEqual(['10.9.0.3']);
  });

  test('an address that was given back is the next container’s of that name, on any host', async () => {
    const [a, b] = [hostCalled('a'), hostCalled('b')];
    const address = await a.claim('web');
    await a.addresses.release('shop', address);
    expect(await b.claim('other')).not.toBe(address);
    expect(await b.claim('web')).toBe(address);
    await a.addresses.release('shop', address);
    expect(fake.get(keys.address('shop', address))).toContain('"host":"b"');
  });

  test('nothing is decided while etcd is away, and what was given back meanwhile is told later', async () => {
    const a = hostCalled('a');
    const address = await a.claim('web');
    fake.isAway = true;
    await expect(a.claim('late')).rejects.toThrow('etcd does not answer');
    await expect(a.addresses.release('shop', address)).rejects.toThrow('etcd does not answer');
    fake.isAway = false;
    expect(fake.get(keys.address('shop', address))).toBeDefined();
    expect(await a.addresses.reclaim()).toEqual([]);
    expect(fake.get(keys.address('shop', address))).toBeUndefined();
  });

  test('a host that was not heard for long has what nobody took, and loses what others have', async () => {
    const [a, b] = [hostCalled('a'), hostCalled('b')];
    const [kept, lost] = [await a.claim('kept'), await a.claim('lost')];
    const { lease, keptLease } = await a.session.leases();
    fake.expire(lease);
    // Those who had it are remembered for longer.
    expect(await b.claim('other')).not.toBe(lost);
    fake.expire(keptLease);
    expect(await b.claim('heir', lost)).toBe(lost);
    expect(await a.addresses.reclaim()).toMatchObject([{ address: lost, container: 'lost' }]);
    expect(a.addresses.ownOn('shop').map(({ address }) => address)).toEqual([kept]);
    expect(fake.get(keys.address('shop', kept))).toContain('"host":"a"');
    await a.addresses.release('shop', lost);
    expect(fake.get(keys.address('shop', lost))).toContain('"host":"b"');
  });

  test('a lease that ended unnoticed is replaced by the next claim', async () => {
    const a = hostCalled('a');
    await a.claim('one');
    fake.expire((await a.session.leases()).lease);
    const address = await a.claim('two');
    expect(fake.get(keys.address('shop', address))).toContain('"container":"two"');
  });
});

test('a MAC address follows from the address', () => {
  expect(macOf('10.9.0.2')).toBe('02:42:0a:09:00:02');
  expect(macOf('fd00::1:2')).toBe('02:42:00:01:00:02');
});
