import { expect, test } from 'vitest';
import { wantedRows } from './wanted.js';

test('lines by their numbers, and from one to another', () => {
  expect([...wantedRows('7, 1-3,2', 9)]).toEqual([7, 1, 2, 3]);
});

test.each(['', '0', '10', '3-1', '8-10', '1,', 'a', '1-', '-1', '1.5'])('%j is refused', (text) => {
  expect(() => wantedRows(text, 9)).toThrow(/^--rows .*is not a line from 1 to 9/);
});
