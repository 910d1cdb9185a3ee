import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unavailable } from '@cleat/protocol/errors';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Arrivals } from './arrivals.js';

let directory: string;
let there: boolean;
let looks: number;
let arrivals: Arrivals;
let stop: AbortController;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-arrivals-');
  there = false;
  looks = 0;
  stop = new AbortController();
  arrivals = new Arrivals({
    probe: async (_, name) => {
      looks++;
      if (!there) throw unavailable(`${name} is not there`);
    },
    pluginDirectories: [directory, join(directory, 'none')],
  });
});
afterEach(() => {
  arrivals.close();
  rmSync(directory, { recursive: true });
});
const wait = (by: string, onReason?: (reason: string) => void) =>
  arrivals.arrival('VolumeDriver', 'late', { signal: stop.signal, by, ...(onReason && { onReason }) });

test('all who wait for one share one search, are named, hear the reason, and go on together', async () => {
  const heard: string[] = [];
  const first = wait('container a', (reason) => heard.push(reason));
  await expect.poll(() => heard).toEqual(['late is not there']);
  const second = wait('container b', (reason) => heard.push(reason));
  expect(heard).toHaveLength(2);
  expect(arrivals.list()).toMatchObject([
    { kind: 'VolumeDriver', name: 'late', reason: 'late is not there', by: ['container a', 'container b'] },
  ]);
  there = true;
  await Promise.all([first, second]);
  expect(arrivals.list()).toEqual([]);
});

test('a caller that goes away is forgotten, and without anybody there is no search', async () => {
  const waiting = wait('container a');
  stop.abort();
  await expect(waiting).rejects.toBe(stop.signal.reason);
  expect(arrivals.list()).toEqual([]);
  await expect(wait('container b')).rejects.toBe(stop.signal.reason);
});

test('looking is rare when nothing happens, and comes at once when something does', async () => {
  const waiting = wait('container a');
  waiting.catch(() => {});
  // Beyond this the pauses are a second long.
  await expect.poll(() => looks).toBeGreaterThan(5);
  const before = looks;
  there = true;
  writeFileSync(join(directory, 'late.sock'), '');
  await waiting;
  expect(looks).toBe(before + 1);
});
