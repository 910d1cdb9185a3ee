import { expect, test } from 'vitest';
import { isWithin, onlineCpus } from './cpuset.js';

test('lists of CPUs are compared as sets', () => {
  expect(isWithin('0,2-3', '0-3')).toBe(true);
  expect(isWithin('1-4', '0-1,3-4')).toBe(false);
  expect(isWithin('foo', '0-3')).toBeUndefined();
  expect(isWithin('0', onlineCpus() ?? '0')).toBe(true);
});
