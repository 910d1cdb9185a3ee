import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ByteSource } from '@cleat/linux/archive/byte-source';
import type { TarEntry } from '@cleat/linux/archive/tar-header';
import { TarReader } from '@cleat/linux/archive/tar-reader';
import { encodeHeader, tarEnd } from '@cleat/linux/archive/tar-writer';
import type { ByteName } from '@cleat/linux/rootfs/names';
import { Root } from '@cleat/linux/rootfs/root';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { copied, type Item } from './copy.js';
import { nameOfUrl } from './download.js';
import { gitSource } from './git.js';
import { modeChange } from './mode.js';
import { ownerOf } from './owner.js';
import { hasWildcard, Patterns, wildcard } from './patterns.js';
import { pick } from './select.js';

let directory: string;
let context: Root;
let below: Root;
const signal = new AbortController().signal;

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-files-');
  for (const name of ['context', 'below/etc', 'below/real']) mkdirSync(join(directory, name), { recursive: true });
  context = new Root(join(directory, 'context'));
  below = new Root(join(directory, 'below'));
});
afterEach(() => {
  context[Symbol.dispose]();
  below[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

const put = (name: string, content = name) => {
  const path = join(directory, 'context', name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
};

/** Names in the layer that a copy makes, with what matters of each. */
async function layerOf(items: readonly Item[], target: string, more: object = {}): Promise<string[]> {
  const options = { target, directoryMode: 0o755, time: 7, signal, ...more };
  const reader = new TarReader(new ByteSource(copied(items, below, options)));
  const found: string[] = [];
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const { name, type, mode, uid, gid, linkName } = entry;
    found.push(`${name} ${type} ${mode.toString(8)} ${uid}:${gid}${linkName ? ` -> ${linkName}` : ''}`);
  }
  return found;
}

async function trees(...sources: string[]): Promise<Item[]> {
  const source = { root: context, keepsOwners: false };
  const picked = await Promise.all(sources.map((one) => pick(source, one, { exclude: [], parents: false, signal })));
  return picked.flat().map((one) => ({ kind: 'tree', picked: one }));
}

describe('a layer', () => {
  test('has directories before what is in them: existing ones as they are, new ones as asked', async () => {
    put('d/f');
    put('d/s/g');
    chmodSync(join(directory, 'context/d/s'), 0o700);
    chmodSync(join(directory, 'below/real'), 0o711);
    symlinkSync('/real', join(directory, 'below/way'));
    expect(await layerOf(await trees('d'), '/way/new/', { owner: { uid: 5, gid: 6 } })).toEqual([
      'real/ directory 711 0:0',
      'real/new/ directory 755 5:6',
      'real/new/f file 644 5:6',
      'real/new/s/ directory 700 5:6',
      'real/new/s/g file 644 5:6',
    ]);
  });

  test('keeps several names of one file, and links as they are', async () => {
    put('d/a');
    linkSync(join(directory, 'context/d/a'), join(directory, 'context/d/b'));
    symlinkSync('/anywhere', join(directory, 'context/d/c'));
    expect(await layerOf(await trees('d'), '/d')).toEqual([
      'd/ directory 755 0:0',
      'd/a file 644 0:0',
      'd/b link 644 0:0 -> d/a',
      'd/c symlink 777 0:0 -> /anywhere',
    ]);
  });

  test('a link that leads out of the context leads to nothing, or to what is within', async () => {
    symlinkSync('/etc/passwd', join(directory, 'context/out'));
    symlinkSync('../../../../f', join(directory, 'context/back'));
    put('f');
    await expect(trees('out')).rejects.toThrow('stat out: file does not exist');
    expect(await layerOf(await trees('back'), '/x')).toEqual(['x file 644 0:0']);
  });

  test.each([
    ['d', '/etc/file', 'cannot copy to non-directory: /etc/file'],
    ['f', '/', 'cannot replace to directory /f with file'],
  ])('%s to %s is refused', async (source, target, message) => {
    put('d/x');
    put('f');
    writeFileSync(join(directory, 'below/etc/file'), '');
    mkdirSync(join(directory, 'below/f'));
    await expect(layerOf(await trees(source), target)).rejects.toThrow(message);
  });

  test('several files need a directory; one that matches nothing makes none', async () => {
    put('a.x');
    put('b.x');
    await expect(layerOf(await trees('*.x'), '/one')).rejects.toThrow('the destination must be a directory');
    expect(await layerOf(await trees('*.y'), '/one/')).toEqual([]);
  });

  test('an archive stays below its target, whatever its names and links say', async () => {
    const entry = (name: string, more: Partial<TarEntry>): Buffer =>
      encodeHeader({
        ...{ name: name as ByteName, type: 'file', size: 0, mode: 0o644, uid: 1, gid: 2, mtime: 3 },
        ...{ linkName: '' as ByteName, major: 0, minor: 0, xattrs: new Map(), ...more },
      });
    const archive = Buffer.concat([
      entry('../../up', {}),
      entry('out', { type: 'symlink', linkName: '../../../etc' as ByteName }),
      entry('out/passwd', {}),
      entry('hard', { type: 'link', linkName: '../../up' as ByteName }),
      tarEnd,
    ]);
    const item: Item = { kind: 'archive', open: () => Readable.from([archive]) };
    expect(await layerOf([item], '/t/')).toEqual([
      't/ directory 755 0:0',
      't/up file 644 1:2',
      't/out symlink 644 1:2 -> ../../../etc',
      'etc/ directory 755 0:0',
      'etc/passwd file 644 1:2',
      't/hard link 644 1:2 -> t/up',
    ]);
  });
});

test.each([
  [['*.md', '!keep.md'], ['a.md'], ['keep.md', 'd/a.md']],
  [['**/*.md'], ['a.md', 'd/e/a.md'], ['a.txt']],
  [['d'], ['d', 'd/x/y'], ['dd', 'e/d']],
  [['d', '!d/x'], ['d/y'], ['d/x', 'd/x/z']],
  [['./a/../b/'], ['b', 'b/c'], ['a']],
  [['**'], ['a', 'a/b'], []],
  [
    ['a?c', '[x-z]'],
    ['abc', 'y'],
    ['ac', 'w'],
  ],
])('the patterns %j', (patterns, matching, others) => {
  const set = new Patterns(patterns);
  expect(matching.filter((one) => !set.matches(one))).toEqual([]);
  expect(others.filter((one) => set.matches(one))).toEqual([]);
});

test.each([
  ['*.txt', 'a.txt', 'd/a.txt'],
  ['[^a]?', 'bc', 'ac'],
  ['a\\*', 'a*', 'ab'],
])('the wildcard %s matches %s, not %s', (pattern, yes, no) => {
  expect([wildcard(pattern).test(yes), wildcard(pattern).test(no)]).toEqual([true, false]);
  expect(hasWildcard(pattern)).toBe(pattern !== 'a\\*');
});

test.each([
  ['755', 0o600, 0o755, 0o755],
  ['u=rwX,go=r', 0o600, 0o644, 0o744],
  ['+x', 0o644, 0o755, 0o755],
  ['a-w', 0o666, 0o444, 0o444],
  ['g=u', 0o640, 0o660, 0o660],
  ['u+s,o+t', 0o755, 0o5755, 0o5755],
])('--chmod=%s', (text, from, file, directoryMode) => {
  expect([modeChange(text).change(from, false), modeChange(text).change(from, true)]).toEqual([file, directoryMode]);
});

test.each(['8', '10000', 'u=q', 'rwx'])('--chmod=%s is refused', (text) => {
  expect(() => modeChange(text)).toThrow(`invalid chmod parameter: '${text}'`);
});

test('--chown by the names that the image has', () => {
  writeFileSync(join(directory, 'below/etc/passwd'), 'root:x:0:0::/:/bin/sh\napp:x:10:20::/:/bin/sh\n');
  writeFileSync(join(directory, 'below/etc/group'), 'staff:x:50:\n');
  expect(ownerOf('app', below)).toEqual({ uid: 10, gid: 20 });
  expect(ownerOf('app:staff', below)).toEqual({ uid: 10, gid: 50 });
  expect(ownerOf('7', below)).toEqual({ uid: 7, gid: 7 });
  expect(ownerOf('7:staff', below)).toEqual({ uid: 7, gid: 50 });
  for (const text of ['nobody', 'app:nobody', ':5', '1:2:3', '4294967295'])
    expect(() => ownerOf(text, below)).toThrow();
  expect(() => ownerOf('root', undefined)).toThrow("can't find uid for user root");
});

test.each([
  ['https://h/a/b.tar.gz?x=1', 'b.tar.gz'],
  ['http://h/', '__unnamed__'],
  ['http://h/%2e%2e', '__unnamed__'],
  ['http://h/a%2Fb', 'b'],
])('%s is the file %s', (url, name) => expect(nameOfUrl(url)).toBe(name));

test.each([
  ['https://h/o/r.git#v1:sub', { url: 'https://h/o/r.git', ref: 'v1', directory: 'sub' }],
  ['git@h:o/r.git', { url: 'git@h:o/r.git', ref: '', directory: '' }],
  ['https://h/file.txt', undefined],
  ['dir@2/x', undefined],
])('the repository %s', (text, expected) => expect(gitSource(text)).toEqual(expected));

test.each(['https://h/r.git#--upload-pack=x', 'git://h/x y#a'])('%s is refused', (text) => {
  expect(() => gitSource(text)).toThrow('invalid git reference');
});
