import type { HookChanges } from '@cleat/protocol/kinds/hook';
import { parseMemberPath } from '@cleat/protocol/member-path';
import Type from '@cleat/protocol/schema';
import { describe, expect, test } from 'vitest';
import { Owners } from './owners.js';
import { changesOf, wishOf } from './wishes.js';

const Limits = Type.Object({ Memory: Type.Integer(), Cpus: Type.Integer() });
const schema = Type.Object({
  Image: Type.Optional(Type.String()),
  Env: Type.Optional(Type.Array(Type.String())),
  Labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  Limits: Type.Optional(Limits),
  Mounts: Type.Optional(Type.Array(Type.Object({ Target: Type.String(), Source: Type.Optional(Type.String()) }))),
});

const before = { Image: 'a', Env: ['A=1'], Labels: { x: '1' }, Limits: { Memory: 1, Cpus: 1 } };
const roots = ['Query', 'Headers', 'Body'];

/** Each hook's changes in turn. @returns the body in the end, or the conflict */
function run(hooks: Record<string, HookChanges>, wins: Record<string, string[]> = {}, body: unknown = before) {
  const owners = new Owners((hook) => (wins[hook] ?? []).map(parseMemberPath));
  let message: unknown = { Query: {}, Headers: {}, Body: body };
  const yielded: string[] = [];
  for (const [hook, reply] of Object.entries(hooks)) {
    for (const change of changesOf(reply, roots)) {
      const settled = owners.settle(message, wishOf(hook, change, { message, roots, body: schema }));
      if (settled.kind === 'conflict') return `${hook} and ${settled.with.hook}: ${settled.with.path.join('/')}`;
      if (settled.kind === 'yielded') yielded.push(`${hook} to ${settled.to}`);
      else message = settled.message;
    }
  }
  const { Body } = message as { Body: unknown };
  return yielded.length > 0 ? { Body, yielded } : Body;
}

const set = (Path: string, Value: unknown): HookChanges => ({ Set: [{ Path, Value }] });
const add = (Path: string, Value: unknown): HookChanges => ({ Add: [{ Path, Value }] });
const remove = (...Remove: string[]): HookChanges => ({ Remove });

describe('two hooks', () => {
  test.each<[string, HookChanges, HookChanges]>([
    ['the same field', set('Body.Image', 'b'), set('Body.Image', 'c')],
    ['a member of what the other set', set('Body.Limits', { Memory: 2, Cpus: 2 }), set('Body.Limits.Memory', 3)],
    ['what is around it', set('Body.Limits.Memory', 3), set('Body.Limits', { Memory: 2, Cpus: 2 })],
    ['all of the body', set('Body.Limits.Memory', 3), set('Body', { Image: 'b' })],
    ['what the other removed', remove('Body.Labels.x'), set('Body.Labels.x', '2')],
    ['what they remove', set('Body.Labels.x', '2'), remove('Body.Labels.x')],
    ['what the other left as it was', set('Body.Image', 'a'), set('Body.Image', 'b')],
    ['the same variable', add('Body.Env', 'B=1'), add('Body.Env', 'B=2')],
    ['the list that the other added to', add('Body.Env', 'B=1'), set('Body.Env', ['C=1'])],
    ['an element that the other added, by its place', add('Body.Env', 'A=2'), set('Body.Env[0]', 'A=3')],
    ['the same mount', add('Body.Mounts', { Target: '/d' }), add('Body.Mounts', { Target: '/d', Source: '/s' })],
    ['the same parameter', set('Query.name', 'a'), set('Query.name', 'b')],
    ['the same header, however it is written', set('Headers.X-Team', 'a'), set('Headers.x-team', 'b')],
  ])('that set %s are in conflict', (_what, one, other) => {
    expect(run({ one, other })).toMatch(/^other and one: /);
  });

  test.each<[string, HookChanges, HookChanges, unknown]>([
    ['the same value', set('Body.Image', 'b'), set('Body.Image', 'b'), { ...before, Image: 'b' }],
    [
      'other fields',
      set('Body.Image', 'b'),
      set('Body.Limits.Memory', 2),
      { ...before, Image: 'b', Limits: { Memory: 2, Cpus: 1 } },
    ],
    [
      'other labels',
      set('Body.Labels.y', '1'),
      set('Body.Labels["y.z"]', '2'),
      { ...before, Labels: { x: '1', y: '1', 'y.z': '2' } },
    ],
    ['other variables', add('Body.Env', 'B=1'), add('Body.Env', 'C=2'), { ...before, Env: ['A=1', 'B=1', 'C=2'] }],
    [
      'a whole with what the other set in it',
      set('Body.Limits.Memory', 2),
      set('Body.Limits', { Memory: 2, Cpus: 1 }),
      { ...before, Limits: { Memory: 2, Cpus: 1 } },
    ],
    ['that it goes', remove('Body.Labels.x'), remove('Body.Labels.x'), { ...before, Labels: {} }],
  ])('that set %s are not', (_what, one, other, body) => {
    expect(run({ one, other })).toEqual(body);
  });

  test('one may change its own field again', () => {
    expect(
      run({
        one: {
          Set: [
            { Path: 'Body.Image', Value: 'b' },
            { Path: 'Body.Image', Value: 'c' },
          ],
        },
      }),
    ).toEqual({
      ...before,
      Image: 'c',
    });
  });
});

describe('where the file says who wins', () => {
  const memory = set('Body.Limits.Memory', 2);
  const other = set('Body.Limits.Memory', 3);

  test('it is the later one', () => {
    expect(run({ one: memory, two: other }, { two: ['Body.Limits'] })).toMatchObject({ Limits: { Memory: 3 } });
  });
  test('it is the earlier one', () => {
    expect(run({ one: memory, two: other }, { one: ['Body.Limits.Memory'] })).toEqual({
      Body: { ...before, Limits: { Memory: 2, Cpus: 1 } },
      yielded: ['two to one'],
    });
  });
  test('its field stays within a value that another sets', () => {
    const whole = set('Body.Limits', { Memory: 9, Cpus: 9 });
    expect(run({ one: memory, two: whole }, { one: ['Body.Limits.Memory'] })).toMatchObject({
      Limits: { Memory: 2, Cpus: 9 },
    });
    const env = set('Body.Env', ['A=9', 'B=9']);
    expect(run({ one: add('Body.Env', 'A=2'), two: env }, { one: ['Body.Env'] })).toMatchObject({
      Env: ['B=9', 'A=2'],
    });
  });
  test('a third that wants something else is in conflict with the winner’s rival only where nobody wins', () => {
    const wins = { two: ['Body.Limits'] };
    expect(run({ one: memory, two: other, three: memory }, wins)).toMatchObject({ yielded: ['three to two'] });
    expect(run({ one: set('Body.Image', 'b'), three: set('Body.Image', 'c') }, wins)).toBe('three and one: Body/Image');
  });
});

describe('changes that cannot be made', () => {
  test.each<[HookChanges, string]>([
    [set('Body.Limits.Memroy', 2), 'Body.Limits.Memroy: the API has no such member'],
    [set('Body.Limits', { Memory: 1, Cpu: 1 }), 'Body.Limits.Cpu: the API has no such member'],
    [set('Body.Limits.Memory', 'much'), 'cannot unmarshal string into'],
    [set('Body.Labels.__proto__', 'x'), 'it leads to no member'],
    [set('Body.Labels["__proto__"]', 'x'), 'it leads to no member'],
    [set('Body.Env[7]', 'x'), 'Body.Env[7]: nothing of that form is there'],
    [remove('Body.Env[0]'), 'Body.Env[0]: set the list without it instead'],
    [remove('Body'), 'Body cannot be removed'],
    [set('Path', 'x'), 'Path: a path begins with Query, Headers, Body'],
    [set('Query', {}), 'Query: name one member of it'],
    [set('Query.name', 1), 'Query.name: a text is expected'],
    [set('Query.filters.label', 'x'), 'Query.filters.label: a list of texts is expected'],
    [add('Query.name', 'x'), 'Query.name: a parameter is set as a whole'],
    [set('Headers.Content-Length', '1'), 'a hook does not set the header Content-Length'],
    [set('Headers.transfer-encoding', 'chunked'), 'a hook does not set the header Transfer-Encoding'],
    [set('Headers.Connection', 'close'), 'a hook does not set the header Connection'],
    [set('Headers.Upgrade', 'tcp'), 'a hook does not set the header Upgrade'],
    [set('Headers.Host', 'x'), 'a hook does not set the header Host'],
    [set('Headers.X-A', 'a\r\nX-B: b'), 'the header X-A has characters that no header may have'],
    [set('Headers["X A"]', 'a'), '"X a" is no name of a header'],
    [{ Set: [{ Path: 'Body.Image' } as never] }, 'Body.Image: it has no Value'],
    [{ Remove: Array.from({ length: 257 }, () => 'Body.Image') }, 'more than 256 changes'],
    [set('Body.', 1), '"Body." is not a path'],
    [set('', 1), 'it is empty'],
  ])('%j', (reply, message) => {
    expect(() => run({ one: reply })).toThrow(message);
  });

  test('a request without a body that the API declares', () => {
    const message = { Query: {}, Headers: {}, Body: undefined };
    const [change] = changesOf(set('Body.Image', 'x'), roots);
    if (!change) throw new Error('there is one');
    expect(() => wishOf('one', change, { message, roots })).toThrow('the request has no body that can be changed');
  });

  test('a body that was not sent may be made, and null removes', () => {
    expect(run({ one: set('Body.Limits.Memory', 2) }, {}, null)).toEqual({ Limits: { Memory: 2 } });
    expect(run({ one: set('Body.Image', null) })).toEqual({ Env: ['A=1'], Labels: { x: '1' }, Limits: before.Limits });
  });
});

test('a hook that failed owns nothing: its fields are free again, and those that it took go back to their owners', () => {
  const owners = new Owners((hook) => (hook === 'failing' ? [parseMemberPath('Body.Image')] : []));
  const settle = (hook: string, Path: string, value: unknown) => {
    const message = { Query: {}, Headers: {}, Body: before };
    const [change] = changesOf(set(Path, value), roots);
    if (!change) throw new Error('no change');
    return owners.settle(message, wishOf(hook, change, { message, roots, body: schema })).kind;
  };
  expect(settle('first', 'Body.Image', 'b')).toBe('done');
  const giveBack = owners.checkpoint();
  expect(settle('failing', 'Body.Image', 'c')).toBe('done');
  expect(settle('failing', 'Body.Limits.Memory', 7)).toBe('done');
  giveBack();
  expect(settle('last', 'Body.Limits.Memory', 8)).toBe('done');
  expect(settle('last', 'Body.Image', 'd')).toBe('conflict');
});
