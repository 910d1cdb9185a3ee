import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DurableMap, type Logger } from '@cleat/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Etcd } from './etcd.js';
import { FakeEtcd } from './fake-etcd.fixture.js';
import { type Leases, Session } from './session.js';

const nothing = () => {};
const log: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log };
let root: string;
let fake: FakeEtcd;
let etcd: Etcd;
let journal: DurableMap<Leases>;
let session: Session;
let stop: AbortController;
let running: Promise<void>;
let agreed = 0;

beforeEach(async () => {
  root = mkdtempSync('/tmp/cleat-overlay-');
  fake = await FakeEtcd.start();
  etcd = new Etcd([fake.url], {}, 20_000);
  journal = new DurableMap<Leases>(join(root, 'leases'), log);
  // So long that no test waits for its turn.
  session = new Session({ etcd, host: 'a', ttl: 900, grace: 5, journal, log });
  stop = new AbortController();
  agreed = 0;
  const agree = async () => {
    agreed++;
  };
  running = session.run(agree, stop.signal);
  await expect.poll(() => agreed).toBe(1);
});
afterEach(async () => {
  stop.abort();
  await running;
  journal.close();
  etcd.close();
  await fake[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

test('work that finds its lease gone is done with another one, and hosts agree again', async () => {
  const { lease } = await session.leases();
  fake.expire(lease);
  const used: string[] = [];
  const put = async (leases: Leases) => {
    used.push(leases.lease);
    return await etcd.commit([], [{ put: '/t/k', value: 'v', lease: leases.lease }]);
  };
  expect(await session.withLeases(put)).toBe(true);
  expect(used).toEqual([lease, (await session.leases()).lease]);
  expect(new Set(used).size).toBe(2);
  await expect.poll(() => agreed).toBe(2);
});

test('an answer that got lost is a reason to agree again at once', async () => {
  session.doubt();
  await expect.poll(() => agreed).toBe(2);
});

test('while hosts cannot agree, health says why', async () => {
  expect(session.health()).toBeUndefined();
  fake.isAway = true;
  session.doubt();
  await expect.poll(() => session.health()).toContain('etcd does not answer');
  fake.isAway = false;
  await expect.poll(() => session.health()).toBeUndefined();
  expect(agreed).toBe(2);
});
