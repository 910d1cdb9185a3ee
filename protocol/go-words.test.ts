import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { asCleatError, messageOf, systemError } from './errors.js';
import { goWords } from './go-words.js';

test.each([
  ["ENOSPC: no space left on device, mkdir '/x'", 'mkdir /x: no space left on device'],
  [
    "EOVERFLOW: value too large for defined data type, mkdir '/proc/self/fd/22/bin'",
    'mkdir bin: value too large for defined data type',
  ],
  ['ENOSPC: no space left on device, write', 'write: no space left on device'],
  ["EROFS: read-only file system, open '/x'", 'open /x: read-only file system'],
  ["Unknown system error -122: Unknown system error -122, mkdir '/x'", 'mkdir /x: disk quota exceeded'],
  ["saving failed: EIO: i/o error, rename '/a' -> '/b'", 'saving failed: rename /a /b: input/output error'],
  ["EXDEV: cross-device link not permitted, link '/a' -> '/b'", 'link /a /b: invalid cross-device link'],
  [
    "EACCES: permission denied, scandir '/a'; EPERM: operation not permitted, unlink '/b'",
    'open /a: permission denied; remove /b: operation not permitted',
  ],
  ['EXEC: hello', 'EXEC: hello'],
  ['no such container: x', 'no such container: x'],
])('%s', (node, go) => {
  expect(goWords(node)).toBe(go);
});

test('errors of Node reach nobody in its words', () => {
  const root = mkdtempSync(join(tmpdir(), 'go-words-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const file = join(root, 'file');
  writeFileSync(file, '');
  const thrown = (call: () => unknown): unknown => {
    try {
      call();
    } catch (error) {
      return error;
    }
    throw new Error('it did not throw');
  };
  const cases: [() => unknown, string][] = [
    [() => mkdirSync(file), `mkdir ${file}: file exists`],
    [() => readdirSync(file), `open ${file}: not a directory`],
    [() => readFileSync(root), 'read: is a directory'],
    [() => rmdirSync(join(root, 'no')), `remove ${root}/no: no such file or directory`],
    [() => renameSync(root, join(root, 'a')), `rename ${root} ${root}/a: invalid argument`],
    [() => statSync(join(root, 'a'.repeat(300))), `stat ${root}/${'a'.repeat(300)}: file name too long`],
    [() => statSync('/a\0b'), 'invalid argument'],
    [() => statSync("/a'\0b"), 'invalid argument'],
    [() => statSync(`/${'a'.repeat(200)}\0`), 'invalid argument'],
  ];
  for (const [call, text] of cases) {
    const error = thrown(call);
    expect(messageOf(error)).toBe(text);
    expect(asCleatError(error).message).toBe(text);
    expect(systemError(`it failed: ${String(error)}`).message).toMatch(text);
  }
});
