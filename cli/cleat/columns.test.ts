import { expect, test } from 'vitest';
import { columns } from './columns.js';

const rows = [
  ['NAME', 'STATE', 'ORIGIN'],
  ['local', 'active', `/run/docker/plugins/${'x'.repeat(60)}.sock`],
];

test('a table is as wide as its cells, unless a terminal is narrower: then the widest column gives way', () => {
  expect(columns(rows).split('\n')[1]).toContain('.sock');
  const lines = columns(rows, { width: 40 }).trimEnd().split('\n');
  expect(lines.map(({ length }) => length <= 40)).toEqual([true, true]);
  expect(lines[1]).toMatch(/^local {2}active {2}\/run\/docker\/plugins\/x+…$/);
});

test('columns that can be done without go first, in their order', () => {
  const options = { width: 16, dispensable: ['ORIGIN', 'STATE'] };
  expect(columns(rows, options)).toBe('NAME   STATE\nlocal  active\n');
  expect(columns(rows, { ...options, width: 6 })).toBe('NAME\nlocal\n');
});

test('a terminal that is too narrow for anything still shows the beginning of each column', () => {
  expect(
    columns(
      [
        ['NAME', 'A LONG HEADING'],
        ['a', 'b'.repeat(30)],
      ],
      { width: 5 },
    ),
  ).toBe('NAME  A LONG …\na     bbbbbbb…\n');
});
