import { expect, test } from 'vitest';
import { withoutCircles } from './dependents.js';

const dependents = (providers: Record<string, string[]>) =>
  Object.fromEntries(
    [...withoutCircles(Object.keys(providers), new Map(Object.entries(providers)))].filter(
      ([, list]) => list.length > 0,
    ),
  );

test('a chain, and a provider of several', () => {
  expect(dependents({ a: [], b: ['a'], c: ['b'] })).toEqual({ a: ['b'], b: ['c'] });
  expect(dependents({ a: [], b: ['a'], c: ['a', 'b'] })).toEqual({ a: ['b', 'c'], b: ['c'] });
});

test('those that depend on each other have no order among them, and still one towards others', () => {
  expect(dependents({ a: ['b'], b: ['a'] })).toEqual({});
  expect(dependents({ a: ['c'], b: ['a'], c: ['b'], user: ['a'], base: [], d: ['base'] })).toEqual({
    a: ['user'],
    base: ['d'],
  });
});
