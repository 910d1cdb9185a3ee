import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settingsOf } from '../settings.js';
import { readTls } from '../tls.js';
import { readConfigFile } from './file.js';
import { parseFlags } from './parse.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-fifo-'));
  execFileSync('mkfifo', [join(directory, 'fifo')]);
});
afterAll(() => rmSync(directory, { recursive: true }));

test('a FIFO is not waited for', async () => {
  const path = join(directory, 'fifo');
  await expect(readConfigFile(path, new Map(), true)).rejects.toThrow(`${path} is a FIFO, not a file`);
  const { values } = settingsOf(parseFlags([`--tlscert=${path}`]));
  expect(() => readTls(values, 'on')).toThrow(`${path} is a FIFO, not a file`);
});
