import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountTmpfs, unmount } from '@cleat/linux/mount/mount';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeDirectoryDurably } from './durable-file.js';
import { DurableMap } from './state.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-state-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const open = () => new DurableMap<{ n: number }>(join(directory, 'a', 'state'), silentLogger);

test('an entry that was written is there for the next process, no matter what the last one was doing', () => {
  const map = open();
  map.set('a', { n: 1 });
  map.set('b', { n: 2 });
  map.set('a', { n: 3 });
  map.delete('b');
  map.set('c', { n: 4 });
  appendFileSync(join(directory, 'a', 'state'), '["d",{"n"');
  const next = open();
  expect(next.entries()).toEqual([
    ['a', { n: 3 }],
    ['c', { n: 4 }],
  ]);
  next.set('e', { n: 5 });
  expect(open().get('e')).toEqual({ n: 5 });
});

test('a file that was cut anywhere has a beginning of what was written; garbage costs its own lines only', () => {
  const path = join(directory, 'a', 'state');
  const map = open();
  for (let n = 0; n < 5; n++) map.set(`k${n}`, { n });
  map.close();
  const whole = readFileSync(path);
  for (let length = 0; length <= whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    const after = open();
    // A line counts without its line feed, too: all of it is there.
    const lines = whole.subarray(0, length + 1).filter((byte) => byte === 0x0a).length;
    expect(after.entries()).toEqual(Array.from({ length: lines }, (_, n) => [`k${n}`, { n }]));
    after.set('more', { n: 9 });
    after.close();
    expect(open().size).toBe(lines + 1);
  }
  const [first = '', second = ''] = whole.toString().split('\n');
  for (const garbage of ['5', '"ab"', '{}', '[]', '[1,2]', 'null', '["k1",{},1]', '\0\0\0', '\xff\xfe']) {
    writeFileSync(path, [first, garbage, second, ''].join('\n'), 'latin1');
    expect(open().entries()).toEqual([
      ['k0', { n: 0 }],
      ['k1', { n: 1 }],
    ]);
  }
});

test('the file does not grow for ever', () => {
  const map = open();
  for (let n = 0; n < 10_000; n++) map.set(`k${n % 7}`, { n });
  map.close();
  expect(readFileSync(join(directory, 'a', 'state'), 'utf8').split('\n').length).toBeLessThan(4_200);
  expect(open().get(`k${9_999 % 7}`)).toEqual({ n: 9_999 });
});

test('a file that is as it should be is not written again when it is opened, any other is', () => {
  const path = join(directory, 'a', 'state');
  const map = open();
  for (const n of [1, 2, 3]) map.set('a', { n });
  map.close();
  const { ino } = statSync(path);
  for (const options of [{}, { sync: true }]) new DurableMap<{ n: number }>(path, silentLogger, options).close();
  expect(statSync(path).ino).toBe(ino);
  const next = open();
  next.set('b', { n: 4 });
  next.close();
  expect(open().entries()).toEqual([
    ['a', { n: 3 }],
    ['b', { n: 4 }],
  ]);
  appendFileSync(path, 'garbage\n');
  open().close();
  expect(readFileSync(path, 'utf8')).toBe('["a",{"n":3}]\n["b",{"n":4}]\n');
});

test('a volume that exists is not made again, no matter who asks, how often, and after a kill', async () => {
  const map = open();
  let made = 0;
  const make = async (n: number) => {
    made++;
    await Promise.resolve();
    if (n < 0) throw new Error('there is no room');
    return { n };
  };
  const failing = map.ensure('a', () => make(-1));
  const waiting = [1, 1].map((n) => map.ensure('a', () => make(n)));
  await expect(failing).rejects.toThrow('there is no room');
  expect(await Promise.all(waiting)).toEqual([{ n: 1 }, { n: 1 }]);
  expect(made).toBe(2);
  const next = open();
  expect(
    await next.ensure(
      'a',
      () => make(1),
      ({ n }) => n === 1,
    ),
  ).toEqual({ n: 1 });
  await expect(
    next.ensure(
      'a',
      () => make(2),
      ({ n }) => n === 2,
    ),
  ).rejects.toMatchObject({
    class: 'Conflict',
    message: 'a exists already with other options: remove it first, or choose another name',
  });
  expect(made).toBe(2);
  next.delete('a');
  expect(
    await next.ensure(
      'a',
      () => make(2),
      ({ n }) => n === 2,
    ),
  ).toEqual({ n: 2 });
});

test('a change that a full disk did not take has not happened, and later ones are whole', async () => {
  const disk = join(directory, 'small');
  mkdirSync(disk);
  mountTmpfs(disk, { size: 16_384 });
  try {
    const map = new DurableMap<string>(join(disk, 'state'), silentLogger);
    map.set('a', 'kept');
    writeFileSync(join(disk, 'ballast'), 'x'.repeat(4_096));
    expect(() => map.set('large', 'x'.repeat(16_384))).toThrow();
    expect(map.get('large')).toBeUndefined();
    rmSync(join(disk, 'ballast'));
    map.set('b', 'kept, too');
    const next = new DurableMap<string>(join(disk, 'state'), silentLogger);
    expect(next.entries()).toEqual([
      ['a', 'kept'],
      ['b', 'kept, too'],
    ]);
  } finally {
    unmount(disk);
  }
});

test('a directory on a read-only file system is refused as such', () => {
  const disk = mkdtempSync(join(tmpdir(), 'cleat-state-'));
  mountTmpfs(disk, { size: 16_384 });
  try {
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    expect(() => makeDirectoryDurably(join(disk, 'a/b'))).toThrow('EROFS');
    expect(() => makeDirectoryDurably(disk)).not.toThrow();
  } finally {
    unmount(disk);
    rmSync(disk, { recursive: true });
  }
});
