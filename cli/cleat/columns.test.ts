import { expect, test } from 'vitest';
import { columns } from './columns.js';

const rows = [
  ['NAME', 'STATE', 'ORIGIN'],
  ['local', 'active', `/run/docker/plugins/${'x'.repeat(60)}.sock`],
];

test('a table is as wide as its cells, unless a terminal is narrower: then the widest column gives way', () => {
  expect(columns(rows).split('\n')[1]).toContain('.sock');
  const lines = columns(rows, 40).trimEnd().split('\n');
  expect(lines.map(({ length }) => length <= 40)).toEqual([true, true]);
  expect(lines[1]).toMatch(/^local {2}active {2}\/run\/docker\/plugins\/x+…$/);
});

test('a terminal that is too narrow for anything still shows the beginning of each column', () => {
  expect(
    columns(
      [
        ['NAME', 'A LONG HEADING'],
        ['a', 'b'.repeat(30)],
      ],
      5,
    ),
  ).toBe('NAME  A LONG …\na     bbbbbbb…\n');
});
