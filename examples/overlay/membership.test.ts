import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Addresses, type Claim } from './cluster/addresses.js';
import { Keys } from './cluster/keys.js';
import type { SharedNetworks } from './cluster/networks.js';
import { SharedValue } from './cluster/shared-value.js';
import { Etcd } from './etcd/etcd.js';
import { FakeEtcd } from './etcd/fake-etcd.fixture.js';
import { type Leases, Session } from './etcd/session.js';
import type { Fabric, LocalNetwork } from './host/fabric.js';
import { Membership } from './membership.js';

let root: string;
let fake: FakeEtcd;
beforeEach(async () => {
  root = mkdtempSync('/tmp/cleat-membership-');
  fake = await FakeEtcd.start();
});
afterEach(async () => {
  await fake[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

const keys = new Keys('/c');

/** A host with a network of which etcd knows nothing. @param onChange called when it tells etcd of a network */
async function agreed(onChange: (networks: DurableMap<LocalNetwork>) => void): Promise<SharedNetworks> {
  const journal = <T>(name: string) => new DurableMap<T>(join(root, name), silentLogger);
  const [networks, claims, leases] = [journal<LocalNetwork>('n'), journal<Claim>('c'), journal<Leases>('l')];
  const etcd = new Etcd([fake.url], {});
  const session = new Session({ etcd, host: 'a', ttl: 60, grace: 60, journal: leases, log: silentLogger });
  networks.set('id', { name: 'shop', vni: 4096, encrypted: false, mtu: 1400, pools: ['10.9.0.0/24'] });
  class Shared extends SharedValue<SharedNetworks> {
    override change<R>(change: (value: SharedNetworks) => R): Promise<R> {
      onChange(networks);
      return super.change(change);
    }
  }
  const membership = new Membership({
    ...{ address: '192.0.2.1', wireguard: { publicKey: '', port: 51_820 }, etcd, keys, session, networks },
    shared: new Shared(etcd, keys.networks, () => ({})),
    addresses: new Addresses(etcd, keys, session, claims),
    fabric: { renumber: async () => {}, cutOff: async () => {} } as unknown as Fabric,
    log: silentLogger,
  });
  try {
    await membership.agree();
    return JSON.parse(fake.get(keys.networks) ?? '{}') as SharedNetworks;
  } finally {
    for (const one of [networks, claims, leases]) one.close();
    etcd.close();
  }
}

test('a host that comes back takes part in its networks again', async () => {
  expect(await agreed(() => {})).toMatchObject({ shop: { pools: [{ cidr: '10.9.0.0/24', hosts: { a: 'id' } }] } });
});

test('a network that is removed meanwhile stays removed: its subnet is free', async () => {
  expect(await agreed((networks) => networks.delete('id'))).toEqual({});
});
