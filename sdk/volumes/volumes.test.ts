import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { turns, VolumeDirectories } from '../volumes.js';

let root: string;
let directories: VolumeDirectories;
beforeEach(() => {
  root = mkdtempSync('/tmp/cleat-dirs-');
  directories = new VolumeDirectories(root);
});
afterEach(() => rmSync(root, { recursive: true }));
const fill = (directory: string) => writeFileSync(join(directory, 'file'), 'x');

test('a volume is there as a whole, or not at all', async () => {
  const longest = 'v'.repeat(255);
  await directories.make(longest, (directory) => {
    expect(directories.has(longest)).toBe(false);
    fill(directory);
  });
  expect(readFileSync(join(directories.find(longest), 'file'), 'utf8')).toBe('x');
  expect(Math.abs(Date.parse(directories.createdAt(longest)) - Date.now())).toBeLessThan(60_000);
  const broken = () => {
    throw new Error('the disk is full');
  };
  await expect(directories.make('half', broken)).rejects.toThrow('the disk is full');
  expect(readdirSync(root)).toEqual([longest]);
  const doomed = await directories.putAside(longest);
  expect(directories.names()).toEqual([]);
  expect(readdirSync(doomed)).toEqual(['file']);
  for (const name of [longest, '..', '.', 'a/b', '']) {
    expect(() => directories.find(name)).toThrow(expect.objectContaining({ class: 'NotFound' }));
  }
});

test('the rest of a crash is discarded, volumes and files of others are not', async () => {
  await directories.make('kept', fill);
  await directories.make('doomed', fill);
  const doomed = await directories.putAside('doomed');
  mkdirSync(join(root, '.mine'));
  new VolumeDirectories(root).sweep((path) => rm(path, { recursive: true }), silentLogger);
  await expect.poll(() => existsSync(doomed)).toBe(false);
  expect(readdirSync(root).sort()).toEqual(['.mine', 'kept']);
});

test('calls for one name take turns, also after a failure; another name does not wait', async () => {
  const inTurn = turns();
  const done: string[] = [];
  let release: () => void = () => {};
  const first = inTurn('a', async () => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    done.push('first');
    throw new Error('no');
  });
  const second = inTurn('a', () => done.push('second'));
  await inTurn('b', () => done.push('other'));
  expect(done).toEqual(['other']);
  release();
  await expect(first).rejects.toThrow('no');
  await second;
  expect(done).toEqual(['other', 'first', 'second']);
});
