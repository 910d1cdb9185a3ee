import { expect, test } from 'vitest';
import { goBool, goBoolError } from './go-bool.js';

test("reads Go's words, and no others", () => {
  expect(['1', 't', 'T', 'true', 'TRUE', 'True'].map(goBool)).toEqual(Array(6).fill(true));
  expect(['0', 'f', 'F', 'false', 'FALSE', 'False'].map(goBool)).toEqual(Array(6).fill(false));
  expect(['', 'tRuE', 'yes', 'no', ' 1', '2'].map(goBool)).toEqual(Array(6).fill(undefined));
  expect(goBoolError('x')).toBe('strconv.ParseBool: parsing "x": invalid syntax');
});
