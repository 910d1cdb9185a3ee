import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Helper } from '@cleat/linux/helper/helper';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { modeOf, permissionsOf, typeOf } from './go-mode.js';
import type { FileSystemEntry, TreeSource, TreeSync } from './service.js';
import { createTreeSync } from './tree-sync.js';

const helper = new Helper();
afterAll(() => helper.close());

let root: string;
let directory: string;
let trees: TreeSync;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cleat-tree-'));
  directory = join(root, 'tree');
  await mkdir(directory);
  writeFileSync(join(root, 'outside'), 'untouched');
  trees = createTreeSync({ helper, dataRoot: root });
});
afterEach(() => rm(root, { recursive: true }));

const directoryBit = 2 ** 31;
const symlinkBit = 2 ** 27;

/** A file of a client: text, a directory, or a link. */
type File = Partial<FileSystemEntry> & { text?: string | Buffer };
const entryOf = (path: string, { text, ...more }: File): FileSystemEntry => ({
  path,
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: text?.length ?? 0,
  modTime: 1_700_000_000_000_000_000n,
  linkname: '',
  xattrs: new Map(),
  ...more,
});
const folder: File = { mode: directoryBit + 0o755 };

/** A client with these files, which does as fsutil says, or as `lie` has it. */
function client(files: Record<string, File>, lie: Partial<TreeSource> = {}): TreeSource & { asked: string[] } {
  const entries = Object.entries(files);
  const asked: string[] = [];
  const queue: { number: number; data: Uint8Array }[] = [];
  return {
    asked,
    async *entries() {
      for (const [path, file] of entries) yield entryOf(path, file);
    },
    async request(numbers) {
      for (const number of numbers) {
        const [path = '', file] = entries[number] ?? [];
        asked.push(path);
        const data = Buffer.from(file?.text ?? '');
        const pieces = [data.subarray(0, data.length >> 1), data.subarray(data.length >> 1)].filter(
          ({ length }) => length > 0,
        );
        // Mixed with what was asked for before.
        queue.unshift(...pieces.map((piece) => ({ number, data: piece })));
        queue.push({ number, data: new Uint8Array(0) });
      }
    },
    async nextContent() {
      const next = queue.shift();
      if (!next) throw new Error('nothing was asked for');
      return next;
    },
    async finish() {},
    cancel() {},
    ...lie,
  };
}

const update = (files: Record<string, File>, lie?: Partial<TreeSource>) => {
  const source = client(files, lie);
  return trees.update(directory, source, new AbortController().signal).then(() => source.asked);
};
const read = (path: string) => readFileSync(join(directory, path), 'utf8');

test('everything comes, and later only what has changed', async () => {
  const files: Record<string, File> = {
    a: { text: 'one', mode: 0o755, uid: 5, gid: 6 },
    d: folder,
    'd/b': { text: 'two' },
    'd/empty': { text: '' },
    hard: { linkname: 'a', size: 3 },
    soft: { linkname: '../nowhere', mode: symlinkBit + 0o777 },
    // The order is that of paths, part by part.
    'd-e': { text: 'x' },
  };
  expect(await update(files)).toEqual(['a', 'd/b', 'd/empty', 'd-e']);
  expect(readdirSync(directory).sort()).toEqual(['a', 'd', 'd-e', 'hard', 'soft']);
  expect(lstatSync(join(directory, 'a'))).toMatchObject({ uid: 5, gid: 6, nlink: 2, mtimeMs: 1_700_000_000_000 });
  expect(lstatSync(join(directory, 'a')).mode & 0o7777).toBe(0o755);
  expect(readlinkSync(join(directory, 'soft'))).toBe('../nowhere');
  expect(read('d/b')).toBe('two');

  expect(await update(files)).toEqual([]);
  expect(await update({ ...files, a: { text: 'ONE', modTime: 1n } })).toEqual(['a']);
  expect(read('hard')).toBe('ONE');
  const { d: _d, 'd/b': _b, 'd/empty': _e, ...fewer } = files;
  await update({ ...fewer, a: { text: 'ONE', modTime: 1n }, d: { text: 'now a file' } });
  expect(read('d')).toBe('now a file');
  await update({ d: folder, 'd/new': { text: 'and back' } });
  expect(readdirSync(directory)).toEqual(['d']);
  expect(read('d/new')).toBe('and back');
});

test('many small files and large ones come in one go', async () => {
  const large = Buffer.alloc(3_000_000, 'L');
  const many = Object.fromEntries(
    Array.from({ length: 600 }, (_, index) => [`f${1000 + index}`, { text: `${index}` }]),
  );
  await update({ ...many, z1: { text: large }, z2: { text: 'small' }, z3: { text: large } });
  expect(readdirSync(directory)).toHaveLength(603);
  expect(read('f1599')).toBe('599');
  expect(readFileSync(join(directory, 'z3')).equals(large)).toBe(true);
});

test('a directory that is not known begins anew', async () => {
  writeFileSync(join(directory, 'stale'), '');
  await update({ a: { text: '1' } });
  expect(readdirSync(directory)).toEqual(['a']);
});

test.each<[string, Record<string, File>]>([
  ['a name that leads out', { '../outside': { text: 'x' } }],
  ['a name that leads out later', { d: folder, 'd/../../outside': { text: 'x' } }],
  ['an absolute name', { '/outside': { text: 'x' } }],
  ['an empty name', { '': { text: 'x' } }],
  ['a name with a zero byte', { 'a\0b': { text: 'x' } }],
  ['a name that is too long', { ['x'.repeat(256)]: { text: 'x' } }],
  ['a file in no directory', { 'd/a': { text: 'x' } }],
  ['a file behind a symbolic link', { l: { linkname: '..', mode: symlinkBit }, 'l/outside': { text: 'x' } }],
  ['a hard link to what is not there', { l: { linkname: '../outside' } }],
  ['a hard link to a symbolic link', { l: { linkname: '..', mode: symlinkBit }, m: { linkname: 'l' } }],
  ['a device', { null: { mode: 2 ** 26 + 2 ** 21 } }],
  ['a socket', { s: { mode: 2 ** 24 } }],
])('%s is refused', async (_name, files) => {
  await expect(update({ '0': { text: 'x' }, ...files })).rejects.toMatchObject({ class: 'InvalidParameter' });
  expect(readFileSync(join(root, 'outside'), 'utf8')).toBe('untouched');
});

test.each<[string, Partial<TreeSource>]>([
  ['of a file that nobody asked for', { nextContent: async () => ({ number: 7, data: Buffer.from('x') }) }],
  ['without an end', { nextContent: async () => ({ number: 0, data: Buffer.alloc(1024 * 1024) }) }],
])('contents %s are refused', async (_name, lie) => {
  await expect(update({ a: { text: 'x' } }, lie)).rejects.toMatchObject({ class: 'InvalidParameter' });
});

test('contents in pieces of one byte are bounded by what they cost', async () => {
  let pieces = 0;
  const nextContent = async () => {
    pieces++;
    return { number: 0, data: Buffer.from('x') };
  };
  await expect(update({ a: { text: 'x' } }, { nextContent })).rejects.toMatchObject({ class: 'InvalidParameter' });
  expect(pieces).toBeLessThan(300_000);
});

test('attributes count like names', async () => {
  const xattrs = new Map([['user.large', Buffer.alloc(257 * 1024 * 1024)]]);
  await expect(update({ a: { text: '', xattrs } })).rejects.toThrow(/sends more than/);
});

test('a long signature still tells what has changed', async () => {
  const files = (value: string) => ({
    a: { text: 'x', xattrs: new Map([['user.long', Buffer.from(value.repeat(500))]]) },
  });
  expect(await update(files('a'))).toEqual(['a']);
  expect(await update(files('a'))).toEqual([]);
  expect(await update(files('b'))).toEqual(['a']);
});

test('a large file must have the size that was said', async () => {
  const said = { big: { text: 'short', size: 5_000_000 } };
  await expect(update(said)).rejects.toThrow(/changed its size/);
  expect(readdirSync(directory)).toEqual([]);
  // And after a failure nothing is taken for known.
  expect(await update({ a: { text: '1' } })).toEqual(['a']);
});

test('a symbolic link that was a directory does not lead out', async () => {
  await update({ d: folder, 'd/outside': { text: 'inside' } });
  await update({ d: { linkname: '..', mode: symlinkBit + 0o777 } });
  expect(readFileSync(join(root, 'outside'), 'utf8')).toBe('untouched');
  await update({ d: folder, 'd/outside': { text: 'inside' } });
  expect(read('d/outside')).toBe('inside');
  expect(readFileSync(join(root, 'outside'), 'utf8')).toBe('untouched');
});

test('modes go both ways', () => {
  for (const type of ['file', 'directory', 'symlink', 'fifo', 'device'] as const) {
    for (const permissions of [0o644, 0o4755, 0o2755, 0o1777]) {
      const mode = modeOf(type, permissions);
      expect([typeOf(mode), permissionsOf(mode)]).toEqual([type, permissions]);
    }
  }
});
