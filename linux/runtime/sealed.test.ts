import { copyFileSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findCommand } from '../host.js';
import { run } from '../process/run.js';
import { sealedProgram } from './sealed.js';

let directory: string;
let program: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-sealed-'));
  program = join(directory, 'program');
  copyFileSync(findCommand('echo') ?? '', program);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('it is the same program, and nobody can write to it', async () => {
  const sealed = sealedProgram(program);
  expect(sealed).not.toBe(program);
  expect(sealedProgram(program)).toBe(sealed);
  expect((await run(sealed, ['hello'])).stdout).toBe('hello\n');
  expect(() => openSync(sealed, 'r+')).toThrow('EROFS');
});

test('a binary that is replaced is noticed, and what was started with the old path may still run', async () => {
  const old = sealedProgram(program);
  rmSync(program);
  writeFileSync(program, '#!/bin/sh\necho new\n', { mode: 0o755 });
  expect((await run(sealedProgram(program), [])).stdout).toBe('new\n');
  expect((await run(old, ['old'])).stdout).toBe('old\n');
});

test('a binary that is not there is called as it is, and its caller learns that', () => {
  expect(sealedProgram(join(directory, 'missing'))).toBe(join(directory, 'missing'));
});
