import { expect, test } from 'vitest';
import type { PluginName } from './plugin-pair.js';
import { markdown, median, resultOf } from './report.js';
import { type Row, stock } from './row.js';

const row: Row = { name: 'work', unit: 'ms', between: stock, atMost: 0.4, samples: 3, sample: async () => 0 };
const cost: Row = { name: 'cost', unit: 'ms', between: ['cleat', 'processes'], samples: 3, sample: async () => 0 };

const rate: Row<unknown, PluginName> = {
  name: 'rate',
  unit: 'calls/s',
  between: ['go', 'typescript'],
  atLeast: 0.5,
  samples: 3,
  sample: async () => 0,
};
const own: Row = { name: 'own', unit: 'ms', between: stock, below: 1000, samples: 3, sample: async () => 0 };

const more: Row = {
  name: 'more',
  unit: 'ms',
  between: ['cleat', 'hooked'],
  adds: 3,
  samples: 3,
  sample: async () => 0,
};

test('medians, and the ratio that must not be exceeded', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(resultOf(row, [100, 90, 500], [40, 36, 36])).toMatchObject({ theirs: 100, ours: 36, ratio: 0.36, pass: true });
  expect(resultOf(row, [100], [41]).pass).toBe(false);
  expect(resultOf(cost, [100], [900]).pass, 'only stated').toBe(true);
  expect(resultOf(own, [100], [999]).pass, 'whatever the other one is').toBe(true);
  expect(resultOf(own, [5000], [1000]).pass).toBe(false);
  expect(resultOf(more, [10], [13]).pass).toBe(true);
  expect(resultOf(more, [10], [13.1]).pass, 'too much beside the other one').toBe(false);
  expect(resultOf(rate, [100], [51]).pass).toBe(true);
  expect(resultOf(rate, [100], [49]).pass).toBe(false);
});

test('the ratio of samples in pairs is the median of theirs', () => {
  const paired: Row = { ...row, atMost: 1, paired: true };
  const beside = [{ name: 'podman', samples: [20, 200, 10] }] as const;
  // The machine was slow for one of them each.
  expect(resultOf(paired, [10, 100, 11], [5, 60, 40], beside)).toMatchObject({
    theirs: 11,
    ours: 40,
    ratio: 0.6,
    pass: true,
    beside: [{ median: 20, ratio: 0.3 }],
  });
});

test('those that stand beside have a column each, with our figure by theirs', () => {
  const beside = [{ name: 'podman', samples: [50, 80, 60] }] as const;
  const lines = markdown([resultOf(row, [100], [40], beside), resultOf(row, [100], [40])], []).split('\n');
  expect(lines).toContain('| work | dockerd | Cleat | ratio | limit | | podman (ratio) |');
  expect(lines).toContain('|---|---|---|---|---|---|---|');
  expect(lines).toContain('| work | 100 ms | 40 ms | 0.40 | ≤ 0.40 | PASS | 60 ms (0.67) |');
  expect(lines).toContain('| work | 100 ms | 40 ms | 0.40 | ≤ 0.40 | PASS | – |');
});

test('the tables say which lines pass, one table for each pair', () => {
  const results = [
    resultOf(row, [100], [40]),
    resultOf(row, [100], [50]),
    resultOf(cost, [1], [2]),
    resultOf(rate, [900], [450]),
    resultOf(own, [500], [750]),
    resultOf(more, [10], [12]),
  ];
  const lines = markdown(results, ['a note']).split('\n');
  expect(lines).toContain('| work | 100 ms | 40 ms | 0.40 | ≤ 0.40 | PASS |');
  expect(lines).toContain('| work | 100 ms | 50 ms | 0.50 | ≤ 0.40 | missed |');
  expect(lines).toContain('| cost | 1.0 ms | 2.0 ms | 2.00 | – | |');
  expect(lines.filter((line) => line.startsWith('| work | d'))).toHaveLength(1);
  expect(lines).toContain('| work | Cleat | Cleat, batteries as processes | ratio | limit | |');
  expect(lines).toContain('| rate | 900 calls/s | 450 calls/s | 0.50 | ≥ 0.50 | PASS |');
  expect(lines).toContain('| own | 500 ms | 750 ms | 1.50 | < 1000 ms | PASS |');
  expect(lines).toContain('| more | 10 ms | 12 ms | 1.20 | ≤ 3 ms more | PASS |');
  expect(lines).toContain('- a note');
});
