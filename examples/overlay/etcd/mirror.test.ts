import type { Logger } from '@cleat/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Etcd } from './etcd.js';
import { FakeEtcd } from './fake-etcd.fixture.js';
import { Mirror } from './mirror.js';

const nothing = () => {};
const log: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log };
let fake: FakeEtcd;
let etcd: Etcd;
let mirror: Mirror;
let stop: AbortController;
let running: Promise<void>;
let news = 0;

beforeEach(async () => {
  fake = await FakeEtcd.start();
  fake.put('/t/hosts/a', 'one');
  fake.put('/other/x', 'no');
  etcd = new Etcd([fake.url], {}, 20_000);
  mirror = new Mirror(etcd, '/t/', log);
  stop = new AbortController();
  news = 0;
  expect(mirror.isWhole).toBe(false);
  running = mirror.run(() => {
    news++;
  }, stop.signal);
  await expect.poll(() => mirror.isWhole).toBe(true);
});
afterEach(async () => {
  stop.abort();
  await running;
  etcd.close();
  await fake[Symbol.asyncDispose]();
});

test('it has the keys below a prefix, and hears of each change', async () => {
  expect(mirror.below('/t/')).toEqual([['/t/hosts/a', 'one']]);
  await expect
    .poll(() => {
      fake.put('/t/hosts/b', 'two');
      return mirror.get('/t/hosts/b');
    })
    .toBe('two');
  fake.remove('/t/hosts/a');
  await expect.poll(() => mirror.get('/t/hosts/a')).toBeUndefined();
  expect(news).toBeGreaterThan(2);
});

test('a watch that ends is taken up again, also when what was between is forgotten', async () => {
  fake.put('/t/hosts/b', 'two');
  fake.compact();
  fake.put('/t/hosts/c', 'three');
  await expect.poll(() => mirror.get('/t/hosts/c')).toBe('three');
});

test('it keeps its values while etcd is silent', async () => {
  fake.isAway = true;
  fake.put('/t/hosts/b', 'two');
  mirror.reload();
  expect(mirror.get('/t/hosts/a')).toBe('one');
  fake.isAway = false;
  await expect.poll(() => mirror.get('/t/hosts/b')).toBe('two');
});
