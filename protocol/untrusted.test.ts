import { expect, test } from 'vitest';
import { readable } from './untrusted.js';

test.each([
  ['two\nlines\twith a tab, öß 漢 😀', 'two\nlines\twith a tab, öß 漢 😀'],
  ['\u001b[2Jgone\r\u0007', '\\u001b[2Jgone\\u000d\\u0007'],
  ['\u009b31m\u007f\u0000', '\\u009b31m\\u007f\\u0000'],
  ['name\u202egpj.exe\u2069', 'name\\u202egpj.exe\\u2069'],
  ['half \ud83d', 'half \\ud83d'],
])('%j is shown as %j', (said, shown) => {
  expect(readable(said)).toBe(shown);
});

test('long text is cut, also in the middle of a character', () => {
  expect(readable('x'.repeat(5_000), 10)).toBe('xxxxxxxxxx… (4990 more characters)');
  expect(readable('😀😀', 3)).toBe('😀\\ud83d… (1 more characters)');
});
