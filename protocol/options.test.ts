import { expect, test } from 'vitest';
import { readOptions } from './options.js';

const declared = {
  root: { default: '/srv/x', help: 'where data goes' },
  token: { required: true, help: 'what the server asks for' },
  colour: {},
  pools: { json: true },
} as const;

test('defaults are added, and numbers and truth values of a manifest become text', () => {
  expect(readOptions('x', declared, { token: 'a' })).toEqual({
    root: '/srv/x',
    token: 'a',
    colour: undefined,
    pools: undefined,
  });
  expect(readOptions('x', declared, { token: 7, root: null, colour: false })).toEqual({
    root: '/srv/x',
    token: '7',
    colour: 'false',
    pools: undefined,
  });
  expect(readOptions('x', declared, { token: 'a', pools: [{ base: '10.0.0.0/8' }] })).toMatchObject({
    pools: '[{"base":"10.0.0.0/8"}]',
  });
});

test('an option that is not declared is left as it is', () => {
  const given = { anything: [1], other: 'x' };
  expect(readOptions('x', undefined, given)).toBe(given);
});

test.each([
  [{}, 'x needs the option token: what the server asks for'],
  [{ token: '' }, 'x needs the option token: what the server asks for'],
  [{ token: 'a', rot: 'b' }, 'x has no option rot; it has root, token, colour, pools'],
  [{ token: 'a', constructor: 'b' }, 'x has no option constructor; it has root, token, colour, pools'],
  [{ token: ['a'] }, 'x: the option token must be text'],
])('%j is refused', (given, message) => {
  expect(() => readOptions('x', declared, given)).toThrow(
    expect.objectContaining({ class: 'InvalidParameter', message }),
  );
});

test('a module that declares nothing has nothing', () => {
  expect(() => readOptions('x', {}, { a: '1' })).toThrow('x has no option a; it has none');
});
