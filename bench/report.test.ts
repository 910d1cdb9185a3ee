import { expect, test } from 'vitest';
import { markdown, median, resultOf } from './report.js';

const row = { name: 'work', unit: 'ms', atMost: 0.4, samples: 3, sample: async () => 0 } as const;

test('medians, and the ratio that must not be exceeded', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(resultOf(row, [100, 90, 500], [40, 36, 36])).toMatchObject({
    dockerd: 100,
    cleat: 36,
    ratio: 0.36,
    pass: true,
  });
  expect(resultOf(row, [100], [41]).pass).toBe(false);
});

test('the table says which lines pass', () => {
  const table = markdown([resultOf(row, [100], [40]), resultOf(row, [100], [50])], ['a note']);
  expect(table).toContain('| work | 100 ms | 40 ms | 0.40 | 0.40 | PASS |');
  expect(table).toContain('| work | 100 ms | 50 ms | 0.50 | 0.40 | over |');
  expect(table).toContain('- a note');
});
