import { forbidden, messageOf } from '@cleat/protocol/errors';
import { decode, isRecord, parseJson } from '@cleat/protocol/json';
import type { Static, TSchema } from '@cleat/protocol/schema';

/**
 * The JSON body of a request, in the schema's shape.
 *
 * Cleat shows what it understood. A stock engine shows what the client wrote, so that what could be read in two ways is
 * refused: a body that is not shown (too large, or in pieces), more than one value, keys that occur twice or differ in
 * case alone (Go merges the objects of both), and keys that Go folds although they look otherwise.
 * @throws Forbidden
 */
export function bodyOf<S extends TSchema>(schema: S, text: string, isNormalised: boolean): Static<S> {
  if (text === '') {
    throw forbidden('the engine did not show the body of the request: send it whole, as JSON, and below 1 MiB');
  }
  let value: unknown;
  try {
    value = parseJson(text, { written: true });
  } catch (cause) {
    throw forbidden(`the body of the request is not JSON: ${messageOf(cause)}`, { cause });
  }
  if (!isRecord(value)) throw forbidden('the body of the request is no JSON object');
  if (!isNormalised) checkKeys(text);
  try {
    return decode(schema, value);
  } catch (cause) {
    throw forbidden(`the body of the request is not as the API has it: ${messageOf(cause)}`, { cause });
  }
}

function checkKeys(text: string): void {
  const value: unknown = JSON.parse(text);
  const written = text.replace(/"(?:[^"\\]|\\.)*"/gs, '').split(':').length - 1;
  if (members(value) !== written) throw forbidden('a key occurs twice in the body of the request');
}

/** How many members there are at all levels. @throws Forbidden */
function members(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + members(item), 0);
  if (!isRecord(value)) return 0;
  const keys = Object.keys(value);
  if (keys.some((key) => !/^[ -~]*$/.test(key))) throw forbidden('a key in the body of the request is not ASCII');
  if (new Set(keys.map((key) => key.toLowerCase())).size < keys.length) {
    throw forbidden('two keys in the body of the request differ in case alone');
  }
  return Object.values(value).reduce<number>((sum, item) => sum + members(item), keys.length);
}

interface Shape {
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
}

/** Paths of members that say something and that the schema does not have: those of a newer engine. */
export function unknownMembers(schema: TSchema, text: string): string[] {
  return text === '' ? [] : unknownIn(schema as Shape, parseJson(text, { written: true }), '');
}

function unknownIn(schema: Shape, value: unknown, path: string): string[] {
  const shape = schema.anyOf?.find(
    ({ properties, patternProperties, items }) => properties ?? patternProperties ?? items,
  );
  const { properties, patternProperties, items } = shape ?? schema;
  if (Array.isArray(value)) return items ? value.flatMap((item) => unknownIn(items, item, path)) : [];
  if (!isRecord(value)) return [];
  const [others] = Object.values(patternProperties ?? {});
  if (others) return Object.values(value).flatMap((inner) => unknownIn(others, inner, path));
  if (!properties) return [];
  const known = new Map(Object.entries(properties).map(([key, inner]) => [key.toLowerCase(), inner]));
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = path === '' ? key : `${path}.${key}`;
    const member = known.get(key.toLowerCase());
    if (member) return unknownIn(member, inner, here);
    return isEmpty(inner) ? [] : [here];
  });
}

/** As clients write what nobody asked for. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isEmpty);
  if (isRecord(value)) return Object.values(value).every(isEmpty);
  return value === undefined || value === null || value === false || value === '' || value === 0 || value === -1;
}
