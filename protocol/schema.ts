import type typebox from 'typebox';
import type { TSchema } from 'typebox';

export type { Static, TSchema } from 'typebox';

type Builders = Pick<
  typeof typebox,
  | 'Array'
  | 'BigInt'
  | 'Boolean'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Number'
  | 'Object'
  | 'Optional'
  | 'Record'
  | 'String'
  | 'Union'
  | 'Unknown'
>;

/**
 * Marks members that the object around them need not have: TypeBox keeps that beside the schema, not in it. Not
 * enumerable, so that it is no part of the JSON Schema; understood by every copy of this package.
 */
const optional = Symbol.for('cleat.optional');

const plain =
  (type: string) =>
  (options?: object): object => ({ type, ...options });

/**
 * TypeBox's builders, typed by TypeBox, for what contracts are made of. They make the same JSON Schema; loading all of
 * TypeBox (700 modules, 15 MB) to build a few records is what a daemon at rest should not pay for.
 */
const builders = {
  Array: (items: object, options?: object) => ({ type: 'array', items, ...options }),
  BigInt: plain('bigint'),
  Boolean: plain('boolean'),
  Integer: plain('integer'),
  Literal: (value: string | number | boolean, options?: object) => ({ type: typeof value, const: value, ...options }),
  Null: plain('null'),
  Number: plain('number'),
  Object(properties: Record<string, object>, options?: object) {
    const required = Object.keys(properties).filter((name) => !Object.hasOwn(properties[name] ?? {}, optional));
    return { type: 'object', ...(required.length > 0 ? { required } : {}), properties, ...options };
  },
  Optional(schema: object) {
    return Object.defineProperty({ ...schema }, optional, { value: true });
  },
  Record: (_keys: object, value: object, options?: object) => ({
    type: 'object',
    patternProperties: { '^.*$': value },
    ...options,
  }),
  String: plain('string'),
  Union: (anyOf: object[], options?: object) => ({ anyOf, ...options }),
  Unknown: (options?: object) => ({ ...options }),
};

/** Names a schema's type as Go does in its errors, package included: `container.HostConfig`. */
export const go = (type: string): { 'x-go-type': string } => ({ 'x-go-type': type });

/**
 * Members that are a struct's own in JSON, and in Go those of a struct that is embedded in it: its name stands in the
 * errors about them (Go 1.24 and newer).
 */
export function embedded<P extends Record<string, TSchema>>(struct: string, properties: P): P {
  const entries = Object.entries(properties).map(([name, schema]) => {
    const inner: unknown = Reflect.get(schema, embeddedIn);
    const names = typeof inner === 'string' ? `${struct}.${inner}` : struct;
    // With what is not enumerable.
    const copy = Object.defineProperties({}, Object.getOwnPropertyDescriptors(schema));
    return [name, Object.assign(copy, { [embeddedIn]: names })];
  });
  return Object.fromEntries(entries) as P;
}

const embeddedIn = 'x-go-embedded';

const Type = builders as unknown as Builders;
export default Type;
