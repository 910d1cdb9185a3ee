import { expect, test } from 'vitest';
import { fitted } from './usage.js';

const help = `Usage: cleat thing NAME [OPTION…]

Does what it does to a thing that has a long description, in one line of more than eighty characters.

  --short           a text that is longer than a narrow terminal has room for, and goes on in
                    the line below
  -n, --number N    short
`;

test('a help text fits the terminal, and is as it was where there is room', () => {
  expect(fitted(help, undefined)).toBe(help);
  expect(fitted(help, 200)).toBe(help);
  for (const width of [80, 60, 40]) {
    const text = fitted(help, width);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(text.replaceAll(/\s+/g, ' ')).toBe(help.replaceAll(/\s+/g, ' '));
  }
  expect(fitted(help, 60)).toContain(`
  --short           a text that is longer than a narrow
                    terminal has room for, and goes on in
                    the line below
  -n, --number N    short
`);
});
