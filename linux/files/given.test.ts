import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readGivenFile } from './given.js';

let base: string;
beforeEach(() => {
  base = mkdtempSync('/tmp/cleat-given-');
});
afterEach(() => rmSync(base, { recursive: true }));

test('a file is read whole, up to its bound', () => {
  const path = join(base, 'file');
  writeFileSync(path, 'é'.repeat(100_000));
  expect(readGivenFile(path).toString()).toBe('é'.repeat(100_000));
  expect(readGivenFile('/dev/null').toString()).toBe('');
  expect(readGivenFile(path, 200_000).length).toBe(200_000);
  expect(() => readGivenFile(path, 199_999)).toThrow('has more than 199999 bytes');
  expect(() => readGivenFile('/dev/zero')).toThrow('has more than 8388608 bytes');
});

test('a FIFO, a directory and nothing are told, and nobody waits', () => {
  const fifo = join(base, 'fifo');
  execFileSync('mkfifo', [fifo]);
  expect(() => readGivenFile(fifo)).toThrow(`${fifo} is a FIFO, not a file`);
  expect(() => readGivenFile(base)).toThrow('EISDIR');
  expect(() => readGivenFile(join(base, 'none'))).toThrow('ENOENT');
});
