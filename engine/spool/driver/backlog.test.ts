import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Spool } from '../index.js';
import { FakeDriver, openWith } from './driver.fixture.js';

const id = 'c'.repeat(64);
const info = { ContainerID: id, ContainerName: '/test', Config: {} };
const backlog = 400_000;

let directory: string;
let driver: FakeDriver;
let spool: Spool;
let printed: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-backlog-'));
  mkdirSync(join(directory, 'exec'));
  driver = new FakeDriver();
  spool = openWith(driver, directory, backlog);
  spool.pathFor(id);
  printed = 0;
});

afterEach(async () => {
  await spool.close();
  driver.die();
  rmSync(directory, { recursive: true, force: true });
});

function print(count: number): void {
  const lines = Array.from({ length: count }, () => `2025-11-22T02:53:20.123456789+00:00 stdout F ${printed++}\n`);
  appendFileSync(join(directory, 'data', 'containers', id, 'spool'), lines.join(''));
}

const dropped = () => spool.deliveries().find(({ driver: name }) => name === 'test')?.dropped.lines ?? 0;
const numbers = () => driver.lines().map(Number);
async function until(what: () => boolean): Promise<void> {
  while (!what()) await pause(5);
}

/** With small copies, the bound is the operator's. */
const small = { ...info, Config: { 'cache-max-size': '10k', 'cache-max-file': '1' } };

test('the newest of the output that a driver does not take is kept within the bound; the rest is counted', async () => {
  driver.reads = false;
  await spool.startDriver(id, 'test', small);
  spool.began(id);
  for (let n = 0; n < 30; n++) {
    print(1000);
    await pause(10);
  }
  await until(() => dropped() > 15_000);
  expect(spool.deliveries()[0]?.containers[0]).toMatchObject({ id, dropped: { lines: dropped() } });
  driver.reads = true;
  driver.comeBack();
  await until(() => numbers().at(-1) === 29_999);
  const [first = 0] = numbers();
  expect(numbers()).toEqual(Array.from({ length: 30_000 - first }, (_, n) => first + n));
  // Output in the pipe when it was given up counts, too.
  expect(dropped()).toBe(first);
  const [delivery] = spool.deliveries()[0]?.containers ?? [];
  expect(delivery?.reason).toBe('');
});

test('a driver that is slow gets what it can take, in order; each line is delivered or counted', async () => {
  driver.slowMs = 20;
  await spool.startDriver(id, 'test', small);
  spool.began(id);
  for (let n = 0; n < 100; n++) {
    print(2000);
    await pause(2);
  }
  driver.slowMs = 0;
  spool.ended(id);
  await until(() => driver.calls.includes('stop'));
  const got = numbers();
  expect(got.every((number, at) => at === 0 || number > (got[at - 1] ?? 0))).toBe(true);
  expect(dropped()).toBeGreaterThan(0);
  expect(got.length + dropped()).toBe(200_000);
  expect(got.at(-1)).toBe(199_999);
});

test('mode=non-blocking has a bound of its own; what is kept for docker logs anyway is not dropped', async () => {
  driver.reads = false;
  await spool.startDriver(id, 'test', { ...info, Config: { mode: 'non-blocking', 'max-buffer-size': '50k' } });
  spool.began(id);
  print(10_000);
  await until(() => dropped() > 0);
  expect(spool.deliveries()[0]?.containers[0]?.behind).toBeLessThan(60 * 1024);
  const other = 'd'.repeat(64);
  spool.pathFor(other);
  await spool.startDriver(other, 'test', info);
  appendFileSync(
    join(directory, 'data', 'containers', other, 'spool'),
    '2025-11-22T02:53:20.123456789+00:00 stdout F x\n'.repeat(20_000),
  );
  await until(() => (spool.deliveries()[0]?.containers.find(({ id: one }) => one === other)?.behind ?? 0) > 800_000);
  await pause(300);
  expect(spool.deliveries()[0]?.containers.find(({ id: one }) => one === other)?.dropped.lines).toBe(0);
});

test('the next engine knows how much was dropped', async () => {
  driver.reads = false;
  await spool.startDriver(id, 'test', small);
  spool.began(id);
  print(20_000);
  await until(() => dropped() > 0);
  const before = spool.deliveries()[0]?.containers[0]?.dropped.lines ?? 0;
  await spool.close();
  driver.reads = true;
  spool = openWith(driver, directory, backlog);
  spool.resumeDriver(id, 'test', small);
  spool.began(id);
  await until(() => numbers().at(-1) === 19_999);
  expect(spool.deliveries()[0]?.containers[0]?.dropped.lines).toBeGreaterThanOrEqual(before);
  expect(numbers()[0]).toBe(spool.deliveries()[0]?.containers[0]?.dropped.lines);
});

test('the output of a removed container is delivered all the same, also by the next engine', async () => {
  await spool.close();
  spool = openWith(driver, directory, 2_000_000);
  driver.reads = false;
  await spool.startDriver(id, 'test', info);
  spool.began(id);
  print(20_000);
  spool.ended(id);
  await spool.remove(id);
  expect(readdirSync(join(directory, 'data', 'containers', id))).toEqual([]);
  const undelivered = join(directory, 'data', 'undelivered');
  expect(readdirSync(undelivered)).toEqual([id]);
  expect(spool.deliveries()[0]?.containers[0]?.behind).toBeGreaterThan(900_000);
  await spool.close();
  driver.reads = true;
  spool = openWith(driver, directory, 2_000_000);
  spool.recover();
  await until(() => numbers().at(-1) === 19_999);
  expect(new Set(numbers()).size).toBe(20_000);
  await until(() => readdirSync(undelivered).length === 0);
});

test('output that removed containers leave has a bound, too: the oldest goes, and is counted', async () => {
  driver.reads = false;
  for (const one of ['1', '2', '3']) {
    const other = one.repeat(64);
    spool.pathFor(other);
    await spool.startDriver(other, 'test', { ...info, Config: { 'cache-max-size': '10k', 'cache-max-file': '1' } });
    spool.began(other);
    const line = '2025-11-22T02:53:20.123456789+00:00 stdout F x\n';
    appendFileSync(join(directory, 'data', 'containers', other, 'spool'), line.repeat(5000));
    spool.ended(other);
    await spool.remove(other);
  }
  expect(readdirSync(join(directory, 'data', 'undelivered'))).toEqual(['3'.repeat(64)]);
  expect(dropped()).toBe(10_000);
});

test('a driver that is away holds up neither an engine that starts nor a container that ran before', async () => {
  await spool.startDriver(id, 'test', info);
  spool.began(id);
  print(10);
  await until(() => driver.entries.length === 10);
  driver.away = true;
  spool.ended(id);
  await spool.startDriver(id, 'test', info);
  spool.began(id);
  print(10);
  await spool.close();
  spool = openWith(driver, directory, backlog);
  spool.resumeDriver(id, 'test', info);
  expect(spool.owes(id)).toBe(true);
  await until(() => spool.deliveries()[0]?.containers[0]?.reason === 'it is away');
  driver.away = false;
  driver.comeBack();
  await until(() => numbers().at(-1) === 19);
  expect(new Set(numbers()).size).toBe(20);
  const fresh = 'e'.repeat(64);
  driver.away = true;
  spool.pathFor(fresh);
  await expect(spool.startDriver(fresh, 'test', info)).rejects.toThrow(
    'failed to initialize logging driver: it is away',
  );
});
