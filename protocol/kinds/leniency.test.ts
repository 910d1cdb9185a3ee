import { describe, expect, test } from 'vitest';
import { readReply } from '../answer.js';
import { decode } from '../json.js';
import type { JsonSchema } from '../reference/members.js';
import { kinds } from './index.js';
import { type Kind, methodPath } from './kind.js';

/**
 * Every message of every contract is read as leniently as Go's `json.Unmarshal` fills a struct, and no more: plugins in
 * the field were written against that. The messages are made from the schemas, so a new member is tested, too.
 */

/** A message with everything in it. `rename` turns the names of members, not those that are a map's keys. */
function sample(schema: JsonSchema, rename = (name: string) => name): unknown {
  if (schema.anyOf) return sample(schema.anyOf[0] ?? {}, rename);
  if (schema.const !== undefined) return schema.const;
  if (schema.patternProperties) return { aKey: sample(Object.values(schema.patternProperties)[0] ?? {}, rename) };
  if (schema.properties) {
    const members = Object.entries(schema.properties);
    return Object.fromEntries(members.map(([name, member]) => [rename(name), sample(member, rename)]));
  }
  const plain: Record<string, unknown> = { string: 'text', boolean: true, integer: 7, number: 7 };
  if (schema.items) return [sample(schema.items, rename)];
  return plain[schema.type ?? ''] ?? { any: ['thing'] };
}

type Step = string | number;

/** Where in a message something is, with the schema of it. */
function* places(
  schema: JsonSchema,
  path: readonly Step[] = [],
): Generator<{ path: readonly Step[]; schema: JsonSchema }> {
  if (path.length > 0) yield { path, schema };
  if (schema.anyOf) yield* skipFirst(places(schema.anyOf[0] ?? {}, path), path.length > 0);
  else if (schema.patternProperties) yield* places(Object.values(schema.patternProperties)[0] ?? {}, [...path, 'aKey']);
  else if (schema.items) yield* places(schema.items, [...path, 0]);
  else for (const [name, member] of Object.entries(schema.properties ?? {})) yield* places(member, [...path, name]);
}

function* skipFirst<T>(items: Generator<T>, skip: boolean): Generator<T> {
  let first = skip;
  for (const item of items) {
    if (!first) yield item;
    first = false;
  }
}

function replaced(value: unknown, [step, ...rest]: readonly Step[], by: unknown): unknown {
  if (step === undefined) return by;
  if (Array.isArray(value)) return value.map((item, at) => (at === step ? replaced(item, rest, by) : item));
  const object = value as Record<string, unknown>;
  return { ...object, [step]: replaced(object[step], rest, by) };
}

/** Values of every JSON type; those that Go takes at this place are left out. */
function wrongFor(schema: JsonSchema): unknown[] {
  const types = (schema.anyOf ?? [schema]).map(({ type, items, properties, patternProperties }) =>
    items ? 'array' : properties || patternProperties ? 'object' : type,
  );
  if (types.includes(undefined)) return [];
  const values: [string, unknown][] = [
    ['string', 'text'],
    ['boolean', true],
    ['integer', 7],
    ['array', [1]],
    ['object', { '\u0000': 1 }],
  ];
  const wrong = values.filter(([type]) => !types.includes(type)).map(([, value]) => value);
  return types.includes('integer') ? [...wrong, 1.5, 1e19] : wrong;
}

const messages = kinds.flatMap((kind: Kind) =>
  Object.entries(kind.methods).flatMap(([name, { request, response }]) => [
    { what: `${methodPath(kind, name).slice(1)}, request`, schema: request },
    { what: `${methodPath(kind, name).slice(1)}, response`, schema: response },
  ]),
);

describe.each(messages)('$what', ({ schema }) => {
  const whole = sample(schema);

  test('is read as it is, in any case, and with members that nobody knows', () => {
    expect(decode(schema, whole)).toEqual(whole);
    expect(
      decode(
        schema,
        sample(schema, (name) => name.toUpperCase()),
      ),
    ).toEqual(whole);
    expect(
      decode(
        schema,
        sample(schema, (name) => name.toLowerCase()),
      ),
    ).toEqual(whole);
    const strange = { ...(whole as object), Unknown: { a: [1] }, unknown: null };
    // A hook's answer is an order: what is not understood of it must not be left undone.
    if ((schema as { additionalProperties?: boolean }).additionalProperties === false) {
      expect(() => decode(schema, strange)).toThrow('json: unknown field "Unknown"');
    } else {
      expect(decode(schema, strange)).toEqual(whole);
    }
  });

  test('null anywhere is as good as nothing', () => {
    expect(decode(schema, null)).toEqual(decode(schema, {}));
    for (const { path } of places(schema)) {
      const where = path.join('.');
      const read = decode(schema, replaced(whole, path, null));
      const [member = ''] = path;
      if (path.length > 1) continue;
      const nothing = (decode(schema, {}) as Record<string, unknown>)[member] ?? undefined;
      expect((read as Record<string, unknown>)[member] ?? undefined, where).toEqual(nothing);
    }
  });

  test('a value of another type is refused, and the member named', () => {
    for (const { path, schema: place } of places(schema)) {
      const names = path.filter((step) => typeof step === 'string');
      for (const wrong of wrongFor(place)) {
        const message = replaced(whole, path, wrong);
        expect(() => decode(schema, message), `${path.join('.')}: ${JSON.stringify(wrong)}`).toThrow(
          expect.objectContaining({ class: 'InvalidParameter', message: expect.stringContaining(names.join('.')) }),
        );
      }
    }
  });
});

test('like Go’s decoder, a reply is read up to the end of its first value', () => {
  const [kind] = kinds;
  const read = (text: string) => readReply('p', kind, 'Path', kind.methods.Path, { status: 200, text });
  expect(read('{"Mountpoint":"/}\\"m"}\n{"Err":"written twice"}')).toEqual({ Mountpoint: '/}"m' });
  expect(read('{"Mountpoint":"/m"} trailing words')).toEqual({ Mountpoint: '/m' });
  expect(read(' \n null ')).toEqual({});
  expect(() => read('words {"Mountpoint":"/m"}')).toThrow('not a JSON object');
  expect(() => read('{"Mountpoint":"/m"')).toThrow('not a JSON object');
});
