import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDirectories } from './make-directories.js';

const directory = mkdtempSync(join(tmpdir(), 'cleat-mkdir-'));
beforeAll(() => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]);
});
afterAll(() => {
  execFileSync('umount', [directory]);
  rmdirSync(directory);
});
const at = (name: string): string => join(directory, name);

test('makes what is missing, with its mode, and says where it began', () => {
  expect(makeDirectories(at('a/b/c'), 0o710)).toBe(at('a'));
  expect(['a', 'a/b', 'a/b/c'].map((name) => statSync(at(name)).mode & 0o777)).toEqual([0o710, 0o710, 0o710]);
  expect(makeDirectories(at('a/b/c'))).toBeUndefined();
  expect(makeDirectories(at('a/b/d'))).toBe(at('a/b/d'));
  symlinkSync(at('a'), at('link'));
  expect(makeDirectories(at('link/e'))).toBe(at('link/e'));
  rmSync(at('link'));
});

test('says what is in the way', () => {
  writeFileSync(at('file'), '');
  expect(() => makeDirectories(at('file'))).toThrow('EEXIST');
  expect(() => makeDirectories(at('file/x/y'))).toThrow('ENOTDIR');
  symlinkSync(at('nowhere'), at('dangling'));
  expect(() => makeDirectories(at('dangling'))).toThrow('EEXIST');
  expect(() => makeDirectories(at('n'.repeat(300)))).toThrow('ENAMETOOLONG');
});

test('says that the file system is read-only', () => {
  execFileSync('mount', ['-o', 'remount,ro', directory]);
  try {
    expect(() => makeDirectories(at('new/x/y'))).toThrow('EROFS');
    expect(makeDirectories(at('a/b/c'))).toBeUndefined();
  } finally {
    execFileSync('mount', ['-o', 'remount,rw', directory]);
  }
});

test('is what the engine uses', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const others = ['linux', 'engine', 'cli/cleatd'].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !/(^|\/)(dist|node_modules)\/|\.(test|fixture|d)\.ts$/.test(name))
      .map((name) => join(root, room, name))
      .filter((path) => /mkdir(Sync)?\([^;]*recursive: true/s.test(readFileSync(path, 'utf8'))),
  );
  expect(others).toEqual([]);
});
