import { expect, test } from 'vitest';
import { generate } from './generate.js';
import { indexesOfPairs, pairsOf } from './pairs.js';
import { batteries, plugins } from './world.js';

test.each([plugins, batteries])('a few schedules have all pairs of many: $name', (flavour) => {
  const first = Array.from({ length: 60 }, (_, index) => index);
  const pairs = (indexes: readonly number[]) =>
    new Set(indexes.flatMap((index) => pairsOf(generate(1, index, flavour))));
  const missing = (indexes: readonly number[]) => {
    const there = pairs(indexes);
    return [...pairs(first)].filter((pair) => !there.has(pair));
  };
  const chosen = indexesOfPairs(1, 60, flavour);
  expect(missing(chosen)).toEqual([]);
  expect(new Set(chosen).size).toBe(chosen.length);
  expect(chosen.length).toBeLessThan(first.length);
  // The last one is needed, too.
  expect(missing(chosen.slice(0, -1))).not.toEqual([]);
});

test('a pair is what happens in one schedule', () => {
  const schedule = generate(1, 0, plugins);
  const [fault] = schedule.faults;
  const op = schedule.clients[0]?.[0]?.operation.op;
  expect(pairsOf(schedule)).toContain(`${fault?.victims.join(' and ')}, ${op}`);
  expect(pairsOf({ ...schedule, faults: [] })).toEqual([]);
});
