import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unavailable } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openOutbox } from '../outbox/index.js';
import type { Outbox } from '../outbox/service.js';
import { openStore } from '../store/index.js';
import type { Store } from '../store/service.js';
import { addressRelease } from './addresses.js';
import { type DriverMessage, NetworkOutbox } from './outbox.js';

/** A plugin that says what it was asked, and answers as it is told. */
let said: string[];
let answers: Map<string, () => Promise<unknown>>;
let root: string;
let store: Store;
let all: Outbox;
let outbox: NetworkOutbox;

const call = (method: string) => async (request: Record<string, string>) => {
  said.push(`${method} ${request.Address ?? request.EndpointID ?? request.PoolID ?? request.NetworkID}`);
  return (await answers.get(method)?.()) ?? {};
};
const script = Object.fromEntries(
  ['ReleaseAddress', 'ReleasePool', 'Leave', 'DeleteEndpoint', 'DeleteNetwork'].map((name) => [name, call(name)]),
);

/** As a new engine finds it. */
function open(): void {
  all = openOutbox({ store, extensions: { onChange: () => () => {} }, log: silentLogger });
  all.start();
  const drivers = { network: async () => script, ipam: async () => script } as never;
  outbox = new NetworkOutbox({ outbox: all, store, drivers, taken: () => false });
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cleat-outbox-'));
  store = openStore(join(root, 'store'));
  said = [];
  answers = new Map();
  open();
});
afterEach(async () => {
  all.close();
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

const address = (ip: string) => addressRelease('plugin', `of ${ip}`, [{ id: 'P', address: `${ip}/24` }]);
const pool: DriverMessage = {
  id: 'a pool',
  extension: 'plugin',
  about: 'the address pool P',
  calls: [{ method: 'ReleasePool', request: { PoolID: 'P' } }],
};
const endpoint: DriverMessage = {
  id: 'an endpoint',
  extension: 'plugin',
  about: 'an endpoint',
  calls: [
    { method: 'Leave', request: { NetworkID: 'N', EndpointID: 'E' } },
    { method: 'DeleteEndpoint', request: { NetworkID: 'N', EndpointID: 'E' } },
  ],
};
const network: DriverMessage = {
  id: 'a network',
  extension: 'plugin',
  about: 'the network N',
  calls: [{ method: 'DeleteNetwork', request: { NetworkID: 'N' } }],
};
const away = async () => {
  throw unavailable('nobody there');
};

test('a pool goes back after the addresses that are pending, also by the next engine', async () => {
  answers.set('ReleaseAddress', away);
  expect(await outbox.send([address('10.0.0.2'), address('10.0.0.3')])).toMatchObject([
    { state: 'pending' },
    { state: 'pending' },
  ]);
  said.length = 0;
  // The plugin still has no ear for addresses, and so its pool is not taken from under them.
  expect(await outbox.send([pool])).toEqual([
    { state: 'pending', reason: 'the address 10.0.0.2 goes back first: nobody there' },
  ]);
  expect(said).toEqual(['ReleaseAddress 10.0.0.2']);
  all.close();

  answers.clear();
  said.length = 0;
  open();
  await outbox.settle('plugin');
  expect(said).toEqual(['ReleaseAddress 10.0.0.2', 'ReleaseAddress 10.0.0.3', 'ReleasePool P']);
  expect(outbox.list()).toEqual([]);
});

test('a network goes after its endpoints', async () => {
  answers.set('DeleteEndpoint', away);
  await outbox.send([endpoint]);
  answers.clear();
  said.length = 0;
  expect(await outbox.send([network])).toMatchObject([{ state: 'done' }]);
  expect(said).toEqual(['DeleteEndpoint E', 'DeleteNetwork N']);
});

test('a pool waits for addresses that are just being given back, or asked for', async () => {
  let answer = () => {};
  answers.set('ReleaseAddress', () => new Promise<void>((resolve) => (answer = resolve)));
  const first = outbox.send([address('10.0.0.2')]);
  await expect.poll(() => said).toEqual(['ReleaseAddress 10.0.0.2']);
  const last = outbox.send([pool]);
  await new Promise(setImmediate);
  expect(said).toEqual(['ReleaseAddress 10.0.0.2']);
  answer();
  await Promise.all([first, last]);
  expect(said).toEqual(['ReleaseAddress 10.0.0.2', 'ReleasePool P']);

  // Nobody waits for an answer any longer, which then names an address.
  answers.clear();
  said.length = 0;
  let arrive = () => {};
  const asked = new Promise<void>((resolve) => (arrive = resolve));
  outbox.holdPool('plugin', 'P', asked);
  const late = asked.then(() => outbox.send([address('10.0.0.9')]));
  const gone = outbox.send([pool]);
  await new Promise(setImmediate);
  expect(said).toEqual([]);
  arrive();
  await Promise.all([late, gone]);
  expect(said).toEqual(['ReleaseAddress 10.0.0.9', 'ReleasePool P']);
});

test('a call that was noted is made by the next engine, in the order in which it came up', async () => {
  outbox.note([network, endpoint, address('10.0.0.2')]);
  all.close();
  open();
  await outbox.settle('plugin');
  expect(said).toEqual(['Leave E', 'DeleteEndpoint E', 'DeleteNetwork N', 'ReleaseAddress 10.0.0.2']);
  expect(outbox.list()).toEqual([]);
});

test('two pools of one name do not wait for each other', async () => {
  answers.set('ReleasePool', away);
  await outbox.send([pool, { ...pool, id: 'another network’s' }]);
  answers.clear();
  said.length = 0;
  await outbox.settle('plugin');
  expect(said).toEqual(['ReleasePool P', 'ReleasePool P']);
});

test('calls that a version before the outbox kept are read on', async () => {
  all.close();
  const former = store.collection<object>('networks-owed');
  const { extension: driver, ...rest } = network;
  const debt = { ...rest, driver, kind: 'network', since: '2025-01-02T03:04:05Z', reason: 'away', refusals: 1 };
  former.put(debt.id, debt);
  open();
  expect(former.entries()).toEqual([]);
  expect(outbox.list()).toMatchObject([{ ...network, since: '2025-01-02T03:04:05Z', reason: 'away' }]);
  await outbox.settle('plugin');
  expect(said).toEqual(['DeleteNetwork N']);
});
