import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { mountTmpfs, unmount } from '@cleat/linux/mount/mount';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore, type Store } from './index.js';

interface Thing {
  v: 1;
  name: string;
  note?: string;
}

/** The engine as it is built: its checkpoints have a thread. */
const compiled = pathToFileURL(join(import.meta.dirname, '../dist/store/index.js')).href;
const killedWriter = `
  const [, , path, store, reserve] = process.argv;
  const { openStore } = await import(store);
  const things = openStore(path, { reserve: Number(reserve) }).collection('things');
  const before = things.entries()[0]?.[1].round ?? 0;
  for (let at = 0; at < 300; at++) {
    things.put(String(at).padStart(4, '0'), { v: 1, name: 'kept', round: before + 1 });
    if (at % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    if (things.get(String(at).padStart(4, '0'))?.round !== before + 1) throw new Error('not what was put');
  }
  process.kill(process.pid, 'SIGKILL');`;

/** From a file: the thread that writes checkpoints does not start where the program is an argument. */
function runKilled(path: string, reserve: number): { signal: string | null; stderr: Buffer } {
  const program = join(directory, 'writer.mjs');
  writeFileSync(program, killedWriter);
  return spawnSync(process.execPath, [program, path, compiled, `${reserve}`]);
}

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-store-'));
  store = openStore(join(directory, 'store'));
});

afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

test('a record that was written is read again, also after closing and opening', async () => {
  const things = store.collection<Thing>('things');
  things.put('b', { v: 1, name: 'two' });
  things.put('a', { v: 1, name: 'one' });
  things.put('c', { v: 1, name: 'three' });
  things.delete('c');
  expect(things.get('c')).toBeUndefined();
  await store.close();
  store = openStore(join(directory, 'store'));
  expect(store.collection<Thing>('things').entries()).toEqual([
    ['a', { v: 1, name: 'one' }],
    ['b', { v: 1, name: 'two' }],
  ]);
  expect(store.collection<Thing>('others').entries()).toEqual([]);
  expect(statSync(join(directory, 'store')).mode & 0o777).toBe(0o700);
});

test('programs that are started do not get the files of the store', () => {
  const { stdout } = spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' });
  expect(stdout).toContain('/proc');
  expect(stdout).not.toContain(directory);
});

test('a transaction that throws leaves nothing', () => {
  const things = store.collection<Thing>('things');
  expect(() =>
    store.transaction(() => {
      things.put('a', { v: 1, name: 'one' });
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(things.get('a')).toBeUndefined();

  store.transaction(() => {
    things.put('a', { v: 1, name: 'one' });
    expect(() =>
      store.transaction(() => {
        things.put('b', { v: 1, name: 'two' });
        throw new Error('inner');
      }),
    ).toThrow('inner');
  });
  expect(things.entries().map(([key]) => key)).toEqual(['a']);
});

test('a record that was put before kill -9 is there', async () => {
  const path = join(directory, 'killed');
  const child = runKilled(path, 4 << 20);
  expect(child.signal, child.stderr.toString()).toBe('SIGKILL');
  const again = openStore(path);
  expect(again.collection<Thing>('things').entries()).toHaveLength(300);
  await again.close();
});

test('checkpoints come and go, on a thread of their own, and kill -9 finds all of it', async () => {
  const path = join(directory, 'killed');
  for (let round = 1; round <= 3; round++) {
    const child = runKilled(path, 8192);
    expect(child.signal, child.stderr.toString()).toBe('SIGKILL');
    const again = openStore(path, { reserve: 8192 });
    const things = again.collection<Thing & { round: number }>('things').entries();
    expect(things.map(([key, { round }]) => `${key} ${round}`)).toEqual(
      Array.from({ length: 300 }, (_, at) => `${String(at).padStart(4, '0')} ${round}`),
    );
    await again.close();
    expect(readFileSync(join(path, 'redo-1')).some((byte) => byte !== 0)).toBe(true);
  }
});

test('a log that was cut anywhere, and written on, holds a beginning of what was written', async () => {
  const path = join(directory, 'cut');
  const whole = openStore(path);
  const things = whole.collection<Thing>('things');
  for (let at = 0; at < 20; at++) things.put(`k${String(at).padStart(2, '0')}`, { v: 1, name: `${at}` });
  await whole.close();
  const log = readFileSync(join(path, 'redo-0'));
  const end = log.findLastIndex((byte) => byte !== 0) + 1;
  for (let cut = 0; cut < end; cut += 7) {
    // One sector never came to the disk, those behind it did.
    const torn = Buffer.from(log);
    torn.fill(0, cut, cut + 16);
    writeFileSync(join(path, 'redo-0'), torn);
    const after = openStore(path);
    const left = after.collection<Thing>('things').entries().length;
    expect(left).toBeLessThan(20);
    // As long as the one that was lost: what is torn off behind it must not come back.
    after.collection<Thing>('things').put(`k${String(left).padStart(2, '0')}`, { v: 1, name: `${left}` });
    await after.close();
    const again = openStore(path);
    expect(again.collection<Thing>('things').entries()).toEqual(
      Array.from({ length: left + 1 }, (_, at) => [`k${String(at).padStart(2, '0')}`, { v: 1, name: `${at}` }]),
    );
    await again.close();
  }
});

test('a store of the version before, all in LMDB, is read on', async () => {
  const path = join(directory, 'before');
  const script = `
    const { open } = await import('lmdb');
    const root = open({ path: process.argv[1], encoding: 'json', overlappingSync: false, maxDbs: 64 });
    await root.openDB('things', { encoding: 'json' }).put('k', { v: 1, name: 'kept ü' });
    await root.close();`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, path], { cwd: import.meta.dirname });
  expect(child.stderr.toString()).toBe('');
  const again = openStore(path);
  expect(again.collection<Thing>('things').entries()).toEqual([['k', { v: 1, name: 'kept ü' }]]);
  await again.close();
});

test('a key that no file could hold is refused at once', () => {
  const things = store.collection<Thing>('things');
  expect(() => things.put('x'.repeat(5000), { v: 1, name: 'x' })).toThrow(/too long/);
  expect(things.entries()).toEqual([]);
});

test('a full disk takes what was reserved, says so in plain words, and all goes on after', async () => {
  const disk = join(directory, 'disk');
  mkdirSync(disk);
  mountTmpfs(disk, { size: 4 * 1024 * 1024, mode: '0700' });
  try {
    const full = openStore(join(disk, 'store'), { reserve: 256 * 1024 });
    const things = full.collection<Thing>('things');
    things.put('before', { v: 1, name: 'x' });
    const ballast = join(disk, 'ballast');
    expect(() => writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024))).toThrow('ENOSPC');
    const note = 'x'.repeat(4096);
    let count = 0;
    const putAll = () => {
      for (; count < 400; count++) things.put(`${count}`, { v: 1, name: `${count}`, note });
    };
    expect(putAll).toThrow(/^no space left on device: free some/);
    // Half of one file, when the checkpoint is due, and all of the other.
    expect(count).toBeGreaterThan(80);
    expect(things.entries()).toHaveLength(count + 1);
    await full.flush();
    rmSync(ballast);
    putAll();
    await full.close();
    const again = openStore(join(disk, 'store'));
    expect(again.collection<Thing>('things').entries()).toHaveLength(401);
    await again.close();
  } finally {
    unmount(disk);
  }
});
