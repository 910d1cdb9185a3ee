import { expect, test } from 'vitest';
import { checkPruneFilters } from './prune.js';

test.each([
  [{ nosuch: ['x'] }, "invalid filter 'nosuch'"],
  [{ until: ['x'] }, "invalid value for 'until' filter"],
  [{ 'unused-for': ['x'] }, "invalid value for 'until' filter"],
  [{ until: ['1h', '2h'] }, 'filters expect only one value'],
  [{ id: ['a', 'b'] }, 'filters expect only one value'],
  [{ inuse: ['maybe'] }, 'invalid filter'],
  [{ private: ['nosuch'] }, 'invalid filter'],
])('%j is refused', (filters: Record<string, string[]>, message) => {
  expect(() => checkPruneFilters(filters)).toThrow(message);
});

const taken: Record<string, string[]>[] = [
  {},
  { until: ['24h'] },
  { until: ['2020-01-01'] },
  { 'unused-for': ['48h'] },
  { inuse: ['false'] },
  { id: ['a'] },
  { label: ['a', 'b=c'], 'label!': ['d'] },
];
test.each(taken)('%j is taken', (filters) => {
  expect(() => checkPruneFilters(filters)).not.toThrow();
});
