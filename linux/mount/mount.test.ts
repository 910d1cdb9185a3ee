import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bind, mountTmpfs, unmount, unmountAll } from './mount.js';
import { isMountPoint, listMounts, mountOf, parseMountInfo } from './mountinfo.js';
import { mountOverlay } from './overlay.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-mount-'));
});
afterEach(() => {
  unmountAll(directory);
  rmSync(directory, { recursive: true, force: true });
});

function make(name: string): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  return path;
}

function layers(count: number, name: (at: number) => string): string[] {
  return Array.from({ length: count }, (_, at) => {
    const layer = make(name(at));
    writeFileSync(join(layer, `f${at}`), `${at}`);
    writeFileSync(join(layer, 'top'), `${at}`);
    return layer;
  });
}

test.each([
  ['two short layers', 2, (at: number) => `l${at}`],
  ['120 layers with long names', 120, (at: number) => `${'x'.repeat(60)}${at}`],
  ['names with overlay separators', 2, (at: number) => `a:b,c\\${at}`],
])('overlay of %s', (_, count, name) => {
  const lower = layers(count, name);
  const [upper, work, target] = [make('up:per'), make('work'), make('target')];
  mountOverlay({ lower, upper, work, target });
  expect(readFileSync(join(target, 'top'), 'utf8')).toBe('0');
  expect(readdirSync(target)).toHaveLength(count + 1);
  writeFileSync(join(target, 'new'), 'new');
  expect(existsSync(join(upper, 'new'))).toBe(true);
  unmount(target);
  expect(readdirSync(target)).toEqual([]);
});

test('a read-only overlay, a tmpfs and a bind', () => {
  const target = make('target');
  mountOverlay({ lower: layers(2, (at) => `l${at}`), target });
  expect(() => writeFileSync(join(target, 'x'), '')).toThrow(/EROFS/);
  const [tmpfs, bound] = [make('tm pfs'), make('bound')];
  mountTmpfs(tmpfs, { size: 65536, mode: '0700' });
  writeFileSync(join(tmpfs, 'file'), 'hello');
  bind(tmpfs, bound, { readOnly: true });
  expect(readFileSync(join(bound, 'file'), 'utf8')).toBe('hello');
  expect(() => writeFileSync(join(bound, 'x'), '')).toThrow(/EROFS/);
  expect(listMounts(directory).map((entry) => entry.target)).toEqual([target, tmpfs, bound]);
  expect(isMountPoint(tmpfs)).toBe(true);
});

test('unmounting what is not mounted, or not there, is done already', () => {
  unmount(directory);
  unmount(join(directory, 'missing'));
});

test('mountinfo escapes and optional fields', () => {
  const line = '36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue';
  expect(parseMountInfo(`${line}\nrubbish\n`)).toEqual([
    {
      id: 36,
      parent: 35,
      device: '98:0',
      root: '/mnt1',
      target: '/mnt two',
      options: ['rw', 'noatime'],
      propagation: ['master:1', 'shared:2'],
      type: 'ext3',
      source: '/dev/root',
      superOptions: ['rw', 'errors=continue'],
    },
  ]);
});

test('the mount that a path lies on: the deepest, and of those the latest', () => {
  const entries = parseMountInfo(
    ['/', '/a', '/a/b shared:1', '/a/b master:2', '/a/bc']
      .map((target, id) => `${id + 1} 1 0:1 / ${target.replace(' ', ' rw ')} - tmpfs x rw`)
      .join('\n'),
  );
  expect(['/', '/ab', '/a/b', '/a/b/c', '/a/bcd'].map((path) => mountOf(path, entries)?.id)).toEqual([1, 1, 4, 4, 2]);
});
