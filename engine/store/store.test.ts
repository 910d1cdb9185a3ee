import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore, type Store } from './index.js';
import { commitFlags } from './store.js';

interface Thing {
  v: 1;
  name: string;
  note?: string;
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

test('what was written is read again, also after closing and opening', async () => {
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

test('a transaction that throws leaves nothing, and nobody hears of it', () => {
  const things = store.collection<Thing>('things');
  const heard: string[] = [];
  things.watch((key, value) => heard.push(`${key}=${value?.name ?? '-'}`));
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
    expect(heard).toEqual([]);
  });
  expect(things.entries().map(([key]) => key)).toEqual(['a']);
  things.delete('a');
  expect(heard).toEqual(['a=one', 'a=-']);
});

test('compare and set', () => {
  const things = store.collection<Thing>('things');
  things.compareAndSet('a', undefined, { v: 1, name: 'one' });
  expect(() => things.compareAndSet('a', undefined, { v: 1, name: 'x' })).toThrow('changed meanwhile');
  things.compareAndSet('a', { name: 'one', v: 1, note: undefined }, { v: 1, name: 'two' });
  expect(things.get('a')?.name).toBe('two');
});

test('what was put before kill -9 is there', async () => {
  const script = `
    const { open } = await import('lmdb');
    const root = open({ path: process.argv[1], encoding: 'json', overlappingSync: false, maxDbs: 64 });
    const db = root.openDB('things', { encoding: 'json' });
    root.transactionSync(() => { db.put('k', { v: 1, name: 'kept' }); }, ${commitFlags});
    process.kill(process.pid, 'SIGKILL');`;
  const path = join(directory, 'killed');
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, path], { cwd: import.meta.dirname });
  expect(child.signal).toBe('SIGKILL');
  const again = openStore(path);
  expect(again.collection<Thing>('things').get('k')?.name).toBe('kept');
  await again.close();
});
