import { expect, test } from 'vitest';
import { table } from './text.js';

test('a line for each driver, and for each container of which something is to be told', () => {
  const nothing = { lines: 0, bytes: 0 };
  const text = table([
    {
      driver: 'json-file',
      dropped: nothing,
      containers: [{ id: 'a'.repeat(64), behind: 0, dropped: nothing, reason: '' }],
    },
    {
      driver: 'lake',
      dropped: { lines: 12, bytes: 3456 },
      containers: [
        { id: 'b'.repeat(64), behind: 1_234_567, dropped: { lines: 2, bytes: 99 }, reason: 'it does not read' },
      ],
    },
  ]);
  expect(text.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['DRIVER', 'CONTAINERS', 'BEHIND', 'DROPPED', 'LINES', 'WHY'],
    ['json-file', '1', '0B', '0B', '0', '-'],
    ['lake', '1', '1.23MB', '3.46kB', '12', '-'],
    ['', 'b'.repeat(12), '1.23MB', '99B', '2', 'it does not read'],
    [''],
  ]);
});
