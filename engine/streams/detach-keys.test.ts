import { expect, test } from 'vitest';
import { DetachWatch, parseDetachKeys } from './detach-keys.js';

test('Docker’s notation', () => {
  expect(parseDetachKeys(undefined)).toEqual([16, 17]);
  expect(parseDetachKeys('')).toEqual([]);
  expect(parseDetachKeys('ctrl-a,x,ctrl-[')).toEqual([1, 120, 27]);
  expect(() => parseDetachKeys('ctrl-')).toThrow('Invalid detach keys (ctrl-) provided');
});

test('the sequence is found across chunks; what only began like it is passed on', () => {
  const watch = new DetachWatch([16, 17]);
  const feed = (...bytes: number[]) => {
    const { pass, detached } = watch.filter(Uint8Array.from(bytes));
    return [...pass, ...(detached ? ['detached'] : [])];
  };
  expect(feed(1, 16)).toEqual([1]);
  expect(feed(16, 2)).toEqual([16, 16, 2]);
  expect(feed(16)).toEqual([]);
  expect(feed(17, 3)).toEqual(['detached']);
});
