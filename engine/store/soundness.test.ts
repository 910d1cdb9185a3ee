import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Stores whose files are damaged: opened in processes of their own, since LMDB may end them. */
const compiled = pathToFileURL(join(import.meta.dirname, '../dist/store/index.js')).href;
const entries = 320;
let directory: string;
let whole: string;

const script = (body: string): string => `
  const [, , path, store] = process.argv;
  const { openStore } = await import(store);
  const opened = openStore(path, { reserve: 16384 });
  const things = opened.collection('things');
  ${body}`;
/** Two checkpoints, and something behind the second. */
const fill = script(`
  const { readFileSync } = await import('node:fs');
  const generation = () => JSON.parse(readFileSync(path + '/note.json', 'utf8')).generation;
  for (let at = 0; at < ${entries}; at++) {
    const due = Math.floor((at + 1) / 150);
    do {
      things.put('k' + at, { v: 1, name: 'x'.repeat(100) });
      await new Promise((resolve) => setTimeout(resolve, generation() < due ? 5 : 0));
    } while (generation() < due);
  }
  await opened.flush();
  process.kill(process.pid, 'SIGKILL');`);
const count = script('console.log(things.entries().length); process.kill(process.pid, "SIGKILL");');

function play(body: string, path: string): { signal: string | null; stdout: string; stderr: string } {
  // A file: the thread that writes checkpoints does not start where the program is an argument.
  const program = join(directory, 'program.mjs');
  writeFileSync(program, body);
  const { signal, stdout, stderr } = spawnSync(process.execPath, [program, path, compiled], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { signal, stdout: stdout.trim(), stderr };
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-sound-'));
  whole = join(directory, 'whole');
  expect(play(fill, whole).signal).toBe('SIGKILL');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function copy(): string {
  const path = mkdtempSync(join(directory, 'copy-'));
  cpSync(whole, path, { recursive: true });
  return path;
}

function flip(path: string, from: number, bytes: number): void {
  const content = readFileSync(path);
  for (let at = from; at < Math.min(from + bytes, content.length); at++) content[at] = (content[at] ?? 0) ^ 0xa5;
  writeFileSync(path, content);
}

test('a whole one is read on', () => {
  expect(play(count, copy()).stdout).toBe(`${entries}`);
});

test.each<[string, (path: string) => void, string]>([
  ['no checkpoint', (path) => rmSync(join(path, 'data.mdb')), 'data.mdb is missing'],
  ['an empty checkpoint', (path) => truncateSync(join(path, 'data.mdb')), 'data.mdb is empty'],
  ['half a checkpoint', (path) => truncateSync(join(path, 'data.mdb'), 30_000), 'data.mdb'],
  ['a page of a checkpoint', (path) => truncateSync(join(path, 'data.mdb'), 4096), 'data.mdb is cut short'],
  ['a checkpoint of another version', (path) => flip(join(path, 'data.mdb'), 28, 1), 'another version of LMDB'],
  ['garbage for a checkpoint', (path) => flip(join(path, 'data.mdb'), 0, 1 << 20), 'no file of LMDB'],
  ['no log', (path) => rmSync(join(path, 'redo-0')), 'redo-0 is missing'],
  ['an empty log', (path) => truncateSync(join(path, 'redo-1')), 'redo-1 is empty'],
  ['no readable note', (path) => writeFileSync(join(path, 'note.json'), 'x'), 'note.json cannot be read'],
])('%s: it is not taken for a new one, and says so', (_, damage, said) => {
  const path = copy();
  damage(path);
  const { stdout, stderr } = play(count, path);
  expect(stdout).toBe('');
  expect(stderr).toContain(`the store in ${path} cannot be opened: it is damaged (`);
  expect(stderr).toContain(said);
  expect(stderr).toContain(`put back a copy of the whole directory ${path}; or move it away`);
});

test('pages that end the process: the next start tells why', () => {
  const path = copy();
  flip(join(path, 'data.mdb'), 2 * 4096, 1 << 20);
  const first = play(count, path);
  if (first.stderr === '') expect(first.signal).toMatch(/SIGSEGV|SIGBUS|SIGABRT/);
  const { stdout, stderr } = play(count, path);
  expect(stdout).toBe('');
  expect(stderr).toContain(`the store in ${path} cannot be opened: it is damaged (data.mdb`);
});

test('an older checkpoint beside a newer log is refused', () => {
  const old = join(directory, 'old');
  play(count, old);
  const path = copy();
  cpSync(join(old, 'data.mdb'), join(path, 'data.mdb'));
  expect(play(count, path).stderr).toContain('data.mdb is of another time than the log beside it');
});
