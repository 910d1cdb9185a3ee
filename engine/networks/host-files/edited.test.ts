import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SandboxRecord } from '../record.js';
import { editLines, isAsWritten, WrittenFiles, writeEdited, writeInPlace } from './edited.js';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-edited-'));
  path = join(directory, 'file');
});
afterEach(() => rmSync(directory, { recursive: true }));

test.each([
  ['as we wrote it', 'a\nb\n', 'a\nb\n', 'a\nc\n', 'a\nc\n'],
  ['with a line of its own', 'a\nb\nown\n', 'a\nb\n', 'a\nc\n', 'a\nown\nc\n'],
  ['without a line of ours', 'b\n', 'a\nb\n', 'a\nc\n', 'c\n'],
  ['without the end of its last line', 'a\nb\nown', 'a\nb\n', 'a\n', 'a\nown\n'],
  ['with a line of ours twice', 'a\nb\nb\n', 'a\nb\n', 'a\n', 'a\nb\n'],
  ['with a line that was written and not noted', 'a\nb\n', 'a\n', 'a\nb\n', 'a\nb\n'],
  ['emptied', '', 'a\n', 'b\n', 'b\n'],
  ['the same lines in another order', 'b\na\n', 'a\nb\n', 'a\nb\n', 'b\na\n'],
])('a file %s', (_what, current, before, next, expected) => {
  expect(editLines(current, before, next)).toBe(expected);
});

test('bytes that are no text stay, and so does the inode', () => {
  writeFileSync(path, Buffer.concat([Buffer.from('a\n'), Buffer.of(0xff, 0xfe), Buffer.from('\nü\n')]));
  const { ino } = statSync(path);
  writeEdited(path, 'a\nü\n', 'ä\n');
  expect(readFileSync(path)).toEqual(Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from('\nä\n')]));
  expect(statSync(path).ino).toBe(ino);
});

test('a file of a size that its container chose is not read', () => {
  writeFileSync(path, 'a\n');
  truncateSync(path, 2 ** 40);
  writeEdited(path, 'a\n', 'a\nb\n');
  expect(statSync(path).size).toBe(2 ** 40 + 3);
  expect(isAsWritten(path, 'a\n')).toBe(false);
});

test('a shorter text leaves nothing of the longer', () => {
  writeInPlace(path, 'long text\n');
  writeInPlace(path, 'ü\n');
  expect(readFileSync(path, 'utf8')).toBe('ü\n');
  expect(isAsWritten(path, 'ü\n')).toBe(true);
  expect(isAsWritten(path, 'ö\n')).toBe(false);
});

test('an engine that comes back knows what was written; for a new start nothing was', () => {
  const texts = { hostname: 'h\n', hosts: 'a\n', resolvConf: 'r\n' };
  const other = { ...texts, hosts: 'b\n' };
  const sandbox = () => ({ directory }) as SandboxRecord;
  const [first, second, third] = [sandbox(), sandbox(), sandbox()];
  const before = new WrittenFiles();
  expect(before.of(first, () => other)).toBeUndefined();
  before.note(first, texts);
  expect(before.of(first, () => other)).toEqual(texts);
  const after = new WrittenFiles();
  after.recall([second]);
  expect(after.of(second, () => other)).toEqual(texts);
  expect(after.of(third, () => other)).toBeUndefined();
  writeFileSync(join(directory, 'written.json'), '{"hosts":');
  expect(after.of(second, () => other)).toEqual(other);
});
