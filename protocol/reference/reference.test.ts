import { expect, test } from 'vitest';
import type { Kind } from '../kinds/kind.js';
import { negotiated } from '../kinds/kind.js';
import Type from '../schema.js';
import { kindSchema } from './json-schema.js';
import { kindPage } from './page.js';

const Inner = Type.Object({ Name: Type.String({ description: 'Its | name' }) });
const kind: Kind = {
  name: 'TestDriver',
  label: 'test',
  version: 1,
  title: 'Tests',
  called: 'test driver',
  does: 'is tested',
  neededToStart: false,
  stockDocker: 'not at all',
  errorKey: 'Error',
  about: 'For tests.',
  methods: {
    Do: {
      about: 'Does it.',
      request: Type.Object({
        List: Type.Optional(Type.Union([Type.Array(Inner), Type.Null()])),
        Map: Type.Record(Type.String(), Type.Unknown()),
        Mode: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')], negotiated)),
      }),
      response: Type.Object({}),
      deadlineMs: 2500,
      idempotent: true,
      optional: true,
      since: 'Docker 1.8',
    },
    Read: {
      request: Type.Object({}),
      response: Type.Object({}),
      deadlineMs: 1000,
      idempotent: false,
      streams: 'response',
    },
  },
};

test('a page shows methods, and members down to the innermost', () => {
  const lines = kindPage(kind).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'For tests.',
      '| [Do](#do) | 2.5 s | yes | yes |',
      '`POST /TestDriver.Do`, since Docker 1.8',
      '| `List` | list of object or null |  |  |',
      '| `List[].Name` | string | yes | Its \\| name |',
      '| `Map` | map of any | yes |  |',
      '| `Mode` | `"a"` or `"b"` |  | *Negotiated.* |',
      'Response: `{}`',
      'Response: a stream of bytes.',
    ]),
  );
});

test('the schema document holds every message and what else the contract says', () => {
  expect(JSON.parse(JSON.stringify(kindSchema(kind)))).toMatchObject({
    title: 'TestDriver',
    'x-methods': {
      Do: { path: '/TestDriver.Do', deadlineMs: 2500, idempotent: true, response: { $ref: '#/$defs/Do.response' } },
      Read: { streams: 'response' },
    },
    $defs: {
      'Do.request': { required: ['Map'], properties: { Mode: { 'x-negotiated': true } } },
      error: { required: ['Error'] },
    },
  });
});
