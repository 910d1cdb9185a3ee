import { expect, test } from 'vitest';
import { booleanFilter, checkFilters, excludesLabels, matchLabels, matchName, untilFilter } from './filters.js';
import { newId, shortId } from './ids.js';

test('an unknown filter is refused in Docker’s words', () => {
  expect(() => checkFilters({ name: ['x'], colour: ['red'] }, ['name'])).toThrow("invalid filter 'colour'");
  expect(() => booleanFilter({ dangling: ['maybe'] }, 'dangling')).toThrow("invalid filter 'dangling=[maybe]'");
  expect(() => booleanFilter({ dangling: ['1', 'false'] }, 'dangling')).toThrow('invalid filter');
  expect(() => untilFilter({ until: ['1h', '2h'] })).toThrow('more than one until filter specified');
});

test('labels, names', () => {
  const labels = { a: '1', b: '' };
  expect(matchLabels({ label: ['a', 'b='] }, labels)).toBe(true);
  expect(matchLabels({ label: ['a=2'] }, labels)).toBe(false);
  expect(matchLabels({ label: ['constructor'] }, labels)).toBe(false);
  expect(excludesLabels({ 'label!': ['a=1'] }, labels)).toBe(false);
  expect(excludesLabels({}, labels)).toBe(true);
  expect(matchName({ name: ['^we'] }, 'name', 'web')).toBe(true);
  expect(matchName({ name: ['['] }, 'name', 'web')).toBe(false);
  expect(booleanFilter({ dangling: ['true'] }, 'dangling')).toBe(true);
  expect(booleanFilter({}, 'dangling', false)).toBe(false);
});

test('an ID is 64 digits and its abbreviation no number', () => {
  expect(newId()).toMatch(/^[0-9a-f]{64}$/);
  expect(shortId(`sha256:${'ab'.repeat(32)}`)).toBe('abababababab');
});
