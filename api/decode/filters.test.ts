import { describe, expect, test } from 'vitest';
import { decodeFilters } from './filters.js';

describe('filters of a request', () => {
  test.each([
    ['', {}],
    ['null', {}],
    ['{"label":null}', { label: [] }],
    ['{"dangling":{"true":true}}', { dangling: ['true'] }],
    ['{"dangling":["true","true"]}', { dangling: ['true'] }],
    ['{"label":["b","a","b"]}', { label: ['b', 'a'] }],
  ])('%s', (text, expected) => {
    expect(decodeFilters(text)).toEqual(expected);
  });

  test.each(['x', '[]', '"a"', '{"label":"a"}', '{"label":[1]}', '{"label":{"a":1}}'])('%s is refused', (text) => {
    expect(() => decodeFilters(text)).toThrow('invalid filter');
  });
});
