import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unavailable } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../store/index.js';
import type { Store } from '../store/service.js';
import { addressRelease } from './addresses.js';
import { type Debt, type Due, OwedCalls } from './owed.js';

/** A plugin that says what it was asked, and answers as it is told. */
let said: string[];
let answers: Map<string, () => Promise<unknown>>;
let root: string;
let store: Store;
let owed: OwedCalls;

const call = (method: string) => async (request: Record<string, string>) => {
  said.push(`${method} ${request.Address ?? request.EndpointID ?? request.PoolID ?? request.NetworkID}`);
  return (await answers.get(method)?.()) ?? {};
};
const script = Object.fromEntries(
  ['ReleaseAddress', 'ReleasePool', 'Leave', 'DeleteEndpoint', 'DeleteNetwork'].map((name) => [name, call(name)]),
);

/** As a new engine finds it. */
function open(): OwedCalls {
  return new OwedCalls({
    debts: store.collection<Debt>('owed'),
    drivers: { network: async () => script, ipam: async () => script } as never,
    extensions: { onChange: () => () => {} } as never,
    log: silentLogger,
    taken: () => false,
  });
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cleat-owed-'));
  store = openStore(join(root, 'store'));
  said = [];
  answers = new Map();
  owed = open();
});
afterEach(async () => {
  owed.close();
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

const address = (ip: string): Due => addressRelease('plugin', `of ${ip}`, [{ id: 'P', address: `${ip}/24` }]);
const pool: Due = {
  id: 'a pool',
  kind: 'ipam',
  driver: 'plugin',
  about: 'the address pool P',
  calls: [{ method: 'ReleasePool', request: { PoolID: 'P' } }],
};
const endpoint: Due = {
  id: 'an endpoint',
  kind: 'network',
  driver: 'plugin',
  about: 'an endpoint',
  calls: [
    { method: 'Leave', request: { NetworkID: 'N', EndpointID: 'E' } },
    { method: 'DeleteEndpoint', request: { NetworkID: 'N', EndpointID: 'E' } },
  ],
};
const network: Due = {
  id: 'a network',
  kind: 'network',
  driver: 'plugin',
  about: 'the network N',
  calls: [{ method: 'DeleteNetwork', request: { NetworkID: 'N' } }],
};
const away = async () => {
  throw unavailable('nobody there');
};

test('a pool goes back after the addresses that are owed, also by the next engine', async () => {
  answers.set('ReleaseAddress', away);
  expect(await owed.pay([address('10.0.0.2'), address('10.0.0.3')])).toHaveLength(2);
  said.length = 0;
  // The plugin still has no ear for addresses, and so its pool is not taken from under them.
  expect(await owed.pay([pool])).toEqual(['the address pool P: the address 10.0.0.2 goes back first: nobody there']);
  expect(said).toEqual(['ReleaseAddress 10.0.0.2']);
  owed.close();

  answers.clear();
  said.length = 0;
  owed = open();
  await owed.settle('plugin');
  expect(said).toEqual(['ReleaseAddress 10.0.0.2', 'ReleaseAddress 10.0.0.3', 'ReleasePool P']);
  expect(owed.list()).toEqual([]);
});

test('a network goes after its endpoints', async () => {
  answers.set('DeleteEndpoint', away);
  await owed.pay([endpoint]);
  answers.clear();
  said.length = 0;
  expect(await owed.pay([network])).toEqual([]);
  expect(said).toEqual(['DeleteEndpoint E', 'DeleteNetwork N']);
});

test('a pool waits for addresses that are just being given back, or asked for', async () => {
  let answer = () => {};
  answers.set('ReleaseAddress', () => new Promise<void>((resolve) => (answer = resolve)));
  const first = owed.pay([address('10.0.0.2')]);
  await expect.poll(() => said).toEqual(['ReleaseAddress 10.0.0.2']);
  const last = owed.pay([pool]);
  await new Promise(setImmediate);
  expect(said).toEqual(['ReleaseAddress 10.0.0.2']);
  answer();
  await Promise.all([first, last]);
  expect(said).toEqual(['ReleaseAddress 10.0.0.2', 'ReleasePool P']);

  // Nobody waits for an answer any more, which then names an address.
  answers.clear();
  said.length = 0;
  let arrive = () => {};
  const asked = new Promise<void>((resolve) => (arrive = resolve));
  owed.holdPool('plugin', 'P', asked);
  const late = asked.then(() => owed.pay([address('10.0.0.9')]));
  const gone = owed.pay([pool]);
  await new Promise(setImmediate);
  expect(said).toEqual([]);
  arrive();
  await Promise.all([late, gone]);
  expect(said).toEqual(['ReleaseAddress 10.0.0.9', 'ReleasePool P']);
});

test('what was noted is paid by the next engine, in the order in which it came up', async () => {
  owed.note([network, endpoint, address('10.0.0.2')]);
  owed.close();
  owed = open();
  await owed.settle('plugin');
  expect(said).toEqual(['Leave E', 'DeleteEndpoint E', 'DeleteNetwork N', 'ReleaseAddress 10.0.0.2']);
  expect(owed.list()).toEqual([]);
});

test('two pools of one name do not wait for each other', async () => {
  answers.set('ReleasePool', away);
  await owed.pay([pool, { ...pool, id: 'another network’s' }]);
  answers.clear();
  said.length = 0;
  await owed.settle('plugin');
  expect(said).toEqual(['ReleasePool P', 'ReleasePool P']);
});
