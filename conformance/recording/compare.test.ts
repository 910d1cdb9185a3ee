import { expect, test } from 'vitest';
import { Aliases } from './aliases.js';
import { answerRules, compare, requestRules } from './compare.js';

const id = (digit: string) => digit.repeat(64);
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');

const same = (recorded: unknown, now: unknown, rules = answerRules()) =>
  compare(recorded, now, rules, new Aliases()).length === 0;

test.each<[unknown, unknown, boolean]>([
  [{ Name: 'v', Opts: null }, { name: 'v' }, true],
  [{ Err: '' }, {}, true],
  [{ Err: '' }, { Err: 'no' }, false],
  [{ Msg: '' }, {}, false],
  [{ a: 1 }, { a: '1' }, false],
  [{}, { more: 1 }, false],
  [[1, 2], [2, 1], false],
  [[1], [1, 2], false],
  [{}, [], false],
  ['<any>', { a: 1 }, true],
  [{ a: '<any>' }, {}, true],
  ['a <any> b', 'a  b', true],
  ['a <any> b', 'a b', false],
  ['<any>b<any>', 'abc', true],
  ['ab<any>ba', 'aba', false],
  ['PASSWORD=<redacted>', 'PASSWORD=x', true],
  ['2026-01-02T03:04:05Z', '2025-11-12T13:14:15.123+01:00', true],
  ['2026-01-02T03:04:05Z', 'now', false],
  [{ Mountpoint: '/a' }, { Mountpoint: '/b' }, true],
  [{ Mountpoint: '/a' }, { Mountpoint: '' }, false],
  [[{ Mountpoint: '/a' }, { Mountpoint: '/a' }], [{ Mountpoint: '/b' }, { Mountpoint: '/c' }], false],
  [[{ Mountpoint: '/a' }, { Mountpoint: '/c' }], [{ Mountpoint: '/b' }, { Mountpoint: '/b' }], false],
  [`/containers/${id('a')}/start`, `/containers/${id('b')}/start`, true],
  [`${id('a')} ${id('a')}`, `${id('b')} ${id('c')}`, false],
  [{ __proto__: 1 }, {}, true],
])('%j and %j', (recorded, now, equal) => {
  expect(same(recorded, now)).toBe(equal);
});

test('whole numbers are compared exactly', () => {
  expect(same({ a: 9_007_199_254_740_993n }, { a: 9_007_199_254_740_993n })).toBe(true);
  expect(same({ a: 9_007_199_254_740_993n }, { a: 9_007_199_254_740_992n })).toBe(false);
});

test('base64 is compared by its content', () => {
  const body = (Id: string, Env: string) => ({ RequestBody: base64({ Id, Env: [Env] }) });
  expect(same(body(id('a'), 'TOKEN=<redacted>'), body(id('b'), 'TOKEN=x'), requestRules())).toBe(true);
  const [one] = compare(body(id('a'), 'A=1'), body(id('b'), 'A=2'), requestRules(), new Aliases());
  expect(one).toEqual({ where: 'RequestBody.Env[0]', recorded: '"A=1"', now: '"A=2"' });
});

test('a value that is learnt on trial holds when it is kept', () => {
  const aliases = new Aliases();
  const trial = new Aliases(aliases);
  expect(trial.pair('a', 'x')).toBe(true);
  expect(aliases.apply('a')).toBe('a');
  trial.keep();
  expect(aliases.apply('a')).toBe('x');
  const next = new Aliases(aliases);
  expect([next.pair('a', 'x'), next.pair('a', 'y'), next.pair('b', 'x')]).toEqual([true, false, false]);
});
