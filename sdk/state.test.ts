import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DurableMap } from './state.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-state-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const open = () => new DurableMap<{ n: number }>(join(directory, 'a', 'state'), silentLogger);

test('what was written is there for the next process, whatever the last one was doing', () => {
  const map = open();
  map.set('a', { n: 1 });
  map.set('b', { n: 2 });
  map.set('a', { n: 3 });
  map.delete('b');
  map.set('c', { n: 4 });
  appendFileSync(join(directory, 'a', 'state'), '["d",{"n"');
  const next = open();
  expect(next.entries()).toEqual([
    ['a', { n: 3 }],
    ['c', { n: 4 }],
  ]);
  next.set('e', { n: 5 });
  expect(open().get('e')).toEqual({ n: 5 });
});

test('the file does not grow for ever', () => {
  const map = open();
  for (let n = 0; n < 10_000; n++) map.set(`k${n % 7}`, { n });
  map.close();
  expect(readFileSync(join(directory, 'a', 'state'), 'utf8').split('\n').length).toBeLessThan(4_200);
  expect(open().get(`k${9_999 % 7}`)).toEqual({ n: 9_999 });
});
