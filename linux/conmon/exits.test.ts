import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ExitRecord, readExit, wasOomKilled, watchExits } from './exits.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-exits-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** As glib's g_file_set_contents does it. */
function writeExit(id: string, code: number): void {
  writeFileSync(join(directory, `${id}.X1Y2Z3`), String(code));
  renameSync(join(directory, `${id}.X1Y2Z3`), join(directory, id));
}

test('every exit is reported once, whatever the notices were worth', async () => {
  writeExit('before', 1);
  const seen: [string, number][] = [];
  const aborter = new AbortController();
  const watch = watchExits(
    directory,
    (id: string, exit: ExitRecord) => void seen.push([id, exit.code]),
    aborter.signal,
  );
  expect(seen).toEqual([['before', 1]]);
  for (let at = 0; at < 500; at++) writeExit(`c${at}`, at % 256);
  watch.rescan();
  expect(seen).toHaveLength(501);
  await expect.poll(() => seen.length).toBe(501);
  rmSync(join(directory, 'before'));
  watch.rescan();
  writeExit('before', 2);
  utimesSync(join(directory, 'before'), 5, 5);
  await expect.poll(() => seen.at(-1)).toEqual(['before', 2]);
  aborter.abort();
  writeExit('after', 3);
  watch.rescan();
  expect(seen).toHaveLength(502);
});

test('a single exit file', () => {
  expect(readExit(directory, 'none')).toBe(undefined);
  writeExit('id', 137);
  utimesSync(join(directory, 'id'), 5, 5);
  expect(readExit(directory, 'id')).toEqual({ code: 137, at: new Date(5000) });
  mkdirSync(join(directory, 'persist'));
  expect(wasOomKilled(join(directory, 'persist'))).toBe(false);
  writeFileSync(join(directory, 'persist/oom'), '');
  expect(wasOomKilled(join(directory, 'persist'))).toBe(true);
});
