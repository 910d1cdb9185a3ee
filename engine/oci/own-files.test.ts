import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ownFilesFor } from './own-files.js';

let scratch: string;
let layers: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'cleat-own-files-'));
  layers = join(scratch, 'own-files');
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

function image(name: string, modes: Record<string, number> = {}): string[] {
  const layer = join(scratch, name);
  mkdirSync(layer);
  for (const [path, mode] of Object.entries(modes)) {
    mkdirSync(join(layer, path), { recursive: true });
    chmodSync(join(layer, path), mode);
  }
  return [layer];
}

test('images whose directories are alike share a layer', () => {
  const one = ownFilesFor(layers, image('one', { etc: 0o755 }));
  const two = ownFilesFor(layers, image('two', { etc: 0o755, dev: 0o755 }));
  expect(two).toBe(one);
  expect(readdirSync(layers)).toEqual([one]);
});

test('the layer has the places for what is mounted, with the modes of the image', () => {
  const layer = join(layers, ownFilesFor(layers, image('strict', { etc: 0o700, 'dev/shm': 0o1777 })));
  expect(lstatSync(join(layer, 'etc')).mode & 0o7777).toBe(0o700);
  expect(lstatSync(join(layer, 'dev/shm')).mode & 0o7777).toBe(0o1777);
  expect(lstatSync(join(layer, 'etc/hosts')).isFile()).toBe(true);
  expect(lstatSync(join(layer, '.dockerenv')).isFile()).toBe(true);
  expect(readlinkSync(join(layer, 'etc/mtab'))).toBe('/proc/mounts');
  expect(ownFilesFor(layers, image('plain'))).not.toBe(ownFilesFor(layers, [join(scratch, 'strict')]));
});

test('half a layer that a killed engine left is made anew', () => {
  const name = ownFilesFor(layers, image('first'));
  rmSync(join(layers, name), { recursive: true });
  mkdirSync(join(layers, `${name}.new`, 'etc'), { recursive: true });
  writeFileSync(join(layers, `${name}.new`, 'etc', 'hosts'), 'half');
  expect(ownFilesFor(layers, [join(scratch, 'first')])).toBe(name);
  expect(readdirSync(layers)).toEqual([name]);
  expect(lstatSync(join(layers, name, 'etc', 'hosts')).size).toBe(0);
});
