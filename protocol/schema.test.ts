import typebox from 'typebox';
import { expect, it } from 'vitest';
import Type from './schema.js';

it('makes the JSON Schema that TypeBox makes', () => {
  const make = (T: typeof Type) => {
    const Inner = T.Object({ Name: T.String(), Size: T.Optional(T.Integer({ minimum: 0 })) });
    return T.Object(
      {
        inner: T.Optional(T.Union([Inner, T.Null()])),
        again: Inner,
        list: T.Array(Inner, { description: 'some' }),
        map: T.Record(T.String(), T.Unknown()),
        big: T.BigInt(),
        flag: T.Boolean(),
        number: T.Number(),
        word: T.Union([T.Literal('a'), T.Literal('b')]),
        none: T.Object({ maybe: T.Optional(Inner) }),
        // The same value, required here and optional there.
        inside: Inner,
      },
      { additionalProperties: true },
    );
  };
  expect(JSON.parse(JSON.stringify(make(Type)))).toEqual(JSON.parse(JSON.stringify(make(typebox))));
});
