import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { systemError } from '@cleat/protocol/errors';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copyDirectory } from './copy.js';
import { nameOf } from './names.js';
import { removeContents, removeTree, removeTreeSync } from './remove.js';
import { Root } from './root.js';
import { makeDeepTree } from './trees.fixture.js';
import { diskUsage } from './usage.js';
import { walk } from './walk.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/dev/shm/cleat-depth-');
});
afterEach(() => removeTreeSync(directory));

/** Beyond what a path can name (4096 bytes), descriptors can hold open (mostly 1024), and a stack can call. */
const depth = 3000;

test('a deep tree is walked, measured, copied and removed', async () => {
  const source = join(directory, 'source');
  const copy = join(directory, 'copy');
  mkdirSync(source);
  mkdirSync(copy);
  makeDeepTree(source, depth);
  expect(diskUsage(source)).toEqual({ bytes: 4, inodes: depth + 2 });
  const root = new Root(directory);
  expect(copyDirectory(root, '/source', copy)).toBe(true);
  root[Symbol.dispose]();
  expect(diskUsage(copy)).toEqual({ bytes: 4, inodes: depth + 2 });
  removeTreeSync(source);
  await removeTree(copy);
  expect(readdirSync(directory)).toEqual([]);
});

test('a wide tree is walked in order; a symlink is an entry', () => {
  mkdirSync(join(directory, 'b/inner'), { recursive: true });
  for (const name of ['a', 'b/inner/x', 'c']) writeFileSync(join(directory, name), '');
  symlinkSync('/', join(directory, 'b/link'));
  const fd = openSync(directory, 'r');
  const steps = [...walk(fd, nameOf('.'))].map(({ kind, name }) => `${kind} ${name}`);
  closeSync(fd);
  expect(steps).toEqual([
    'before .',
    'entry a',
    'before b',
    'before inner',
    'entry x',
    'after inner',
    'entry link',
    'after b',
    'entry c',
    'after .',
  ]);
});

test('a directory that is passed over is not entered', () => {
  mkdirSync(join(directory, 'a/inner'), { recursive: true });
  const fd = openSync(directory, 'r');
  const names: string[] = [];
  for (const step of walk(fd, nameOf('.'))) {
    step.skip = step.name === 'a';
    if (step.kind !== 'after') names.push(step.name);
  }
  closeSync(fd);
  expect(names).toEqual(['.', 'a']);
});

test('removal takes names that are no UTF-8, more files than it reads at once, and no symlink', async () => {
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'sub'), { recursive: true });
  mkdirSync(join(directory, 'kept'));
  writeFileSync(join(directory, 'kept/file'), '');
  symlinkSync(join(directory, 'kept'), join(tree, 'sub/link'));
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/caf`), Buffer.of(0xe9)]), '');
  mkdirSync(Buffer.concat([Buffer.from(`${tree}/d`), Buffer.of(0xe9)]));
  for (let i = 0; i < 10_050; i++) writeFileSync(join(tree, 'sub', `${i}`), '');
  await removeTree(tree);
  expect(existsSync(tree)).toBe(false);
  expect(existsSync(join(directory, 'kept/file'))).toBe(true);
  await removeTree(join(directory, 'missing/too'));
  await removeContents(directory);
  expect(readdirSync(directory)).toEqual([]);
});

test('a copy stops before it takes the space that is kept free, and counts no holes', () => {
  const source = join(directory, 'source');
  const copy = join(directory, 'copy');
  mkdirSync(source);
  mkdirSync(copy);
  const file = openSync(join(source, 'a'), 'w');
  ftruncateSync(file, 100_000);
  using root = new Root(directory);
  const full = (bytes: number): void => {
    if (bytes > 50_000) throw systemError('no space left on device', { details: { errno: 'ENOSPC' } });
  };
  expect(copyDirectory(root, '/source', copy, { take: full })).toBe(true);
  expect(statSync(join(copy, 'a'))).toMatchObject({ size: 100_000, blocks: 0 });
  for (const start of [100_000, 0]) {
    // The second time without any hole.
    writeSync(file, Buffer.alloc(100_000, 1), 0, 100_000, start);
    unlinkSync(join(copy, 'a'));
    expect(() => copyDirectory(root, '/source', copy, { take: full })).toThrow('no space left on device');
    expect(statSync(join(copy, 'a')).blocks).toBe(0);
  }
  closeSync(file);
});
