import { invalidParameter } from './errors.js';
import { memberOf, mismatch, notInRange, type Place, rangeOf, type Shape, underKey, whereIs } from './json-mismatch.js';
import { WrittenNumber } from './json-text.js';
import type { Static, TSchema } from './schema.js';

export { unexpectedContent } from './json-complaint.js';
export { isRecord, parseJson, stringify } from './json-text.js';
export type { Static, TSchema } from './schema.js';

/**
 * JSON as Go reads and writes it. Clients and plugins rely on Go's leniency (keys in any case, null for absent, unknown
 * keys), and int64 values do not fit into a JavaScript number. Keys are folded once, here, before anything else looks
 * at a body: a check of a request must see what the engine will act on.
 */

const nowhere: Place = { struct: '', path: '' };

/** The greatest double that is still an int64. */
const int64MaxAsDouble = 2 ** 63 - 1024;

/**
 * Brings a parsed value into the schema's shape, as Go's `json.Unmarshal` fills a struct: keys match in any case and
 * the last duplicate wins; null and missing members stay absent, or become the zero value where the schema requires
 * them; unknown keys are dropped, unless the schema has `additionalProperties`, which refuses them where it is false; for a union of a string and a list of
 * strings, a string becomes a list of one. Whole numbers beyond a double's exact range stay within int64; with
 * `Type.BigInt()` they are exact. Checks types, not ranges (but that of Go's type) or patterns.
 * @param what names the whole in errors, unless the schema says how Go calls it.
 * @throws InvalidParameter with a text like Go's.
 */
export function decode<S extends TSchema>(schema: S, value: unknown, what = 'request'): Static<S> {
  return convert(schema, value, { struct: what, path: '' }) as Static<S>;
}

function convert(schema: TSchema, value: unknown, place: Place): unknown {
  const shape = schema as Shape;
  if (shape.anyOf) return convertUnion(shape.anyOf, value, place);
  if (shape.const !== undefined) {
    if (value === shape.const || value === null || value === undefined) return shape.const;
    throw invalidParameter(`json: ${whereIs(place)} must be ${JSON.stringify(shape.const)}`);
  }
  if (value instanceof WrittenNumber) return convertWritten(shape, value, place);
  if (shape.type === undefined) return value;
  if (value === null || value === undefined) return zero(shape);
  switch (shape.type) {
    case 'string':
      if (typeof value === 'string') return checkEnum(shape, value, place);
      break;
    case 'boolean':
      if (typeof value === 'boolean') return value;
      break;
    case 'number':
      if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
      break;
    case 'integer':
      if (typeof value === 'number' || typeof value === 'bigint') return toInteger(value, place, shape);
      break;
    case 'bigint':
      if (typeof value === 'number' || typeof value === 'bigint') return toBigint(value, place, shape);
      break;
    case 'null':
      break;
    case 'array':
      if (Array.isArray(value)) return value.map((item) => convert(shape.items ?? {}, item, place));
      break;
    case 'object':
      if (typeof value === 'object' && !Array.isArray(value)) return convertObject(shape, Object.entries(value), place);
      break;
  }
  throw mismatch(value, place, shape);
}

function convertWritten(shape: Shape, { text }: WrittenNumber, place: Place): number {
  if (shape.type === 'integer' || shape.type === 'bigint') throw notInRange(text, place, shape);
  if (shape.type !== undefined && shape.type !== 'number') throw mismatch(Number(text), place, shape);
  return Number(text);
}

function convertObject(shape: Shape, entries: [string, unknown][], place: Place): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  const properties = shape.properties ?? {};
  const fields = foldedFields(properties);
  const others = shape.patternProperties ? Object.values(shape.patternProperties)[0] : shape.additionalProperties;
  for (const [key, value] of entries) {
    const name = Object.hasOwn(properties, key) ? key : fields.get(fold(key));
    if (name === undefined) {
      if (others === false) throw invalidParameter(`json: unknown field ${JSON.stringify(key)}`);
      if (others) set(result, key, convert(others === true ? {} : others, value, underKey(place, key)));
      continue;
    }
    const property = properties[name] ?? {};
    // Go sets a pointer, list or map to nil and leaves a plain field as it is.
    if (value === null || value === undefined) {
      if (isNullable(property)) delete result[name];
    } else {
      result[name] = convert(property, value, memberOf(place, shape, name, property));
    }
  }
  for (const name of shape.required ?? []) {
    if (!Object.hasOwn(result, name)) result[name] = zero(properties[name] ?? {});
  }
  return result;
}

function convertUnion(shapes: Shape[], value: unknown, place: Place): unknown {
  if (value === null || value === undefined) {
    return isNullable({ anyOf: shapes }) ? null : zero(shapes[0] ?? {});
  }
  if (isStringOrList(shapes)) return convertStringOrList(value, place);
  const fitting = shapes.filter((shape) => accepts(shape, value));
  const [first] = fitting;
  return convert(first ?? shapes.find((shape) => shape.type !== 'null') ?? {}, value, place);
}

const isStringOrList = (shapes: readonly Shape[]): boolean =>
  shapes.some((shape) => shape.type === 'string') &&
  shapes.some((shape) => shape.type === 'array' && shape.items?.type === 'string');

/** Go tries a list, and says then how a string failed (moby's `strslice`). */
function convertStringOrList(value: unknown, place: Place): string[] {
  if (typeof value === 'string') return [value];
  const isItem = (item: unknown) => typeof item === 'string' || item === null;
  if (!Array.isArray(value) || !value.every(isItem)) throw mismatch(value, place, { type: 'string' });
  return value.map((item) => item ?? '');
}

function accepts(shape: Shape, value: unknown): boolean {
  if (shape.anyOf) return shape.anyOf.some((inner) => accepts(inner, value));
  if (shape.const !== undefined) return shape.const === value;
  switch (shape.type) {
    case undefined:
      return true;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && !Array.isArray(value) && !(value instanceof WrittenNumber);
    case 'integer':
    case 'number':
    case 'bigint':
      return value instanceof WrittenNumber || typeof value === 'number' || typeof value === 'bigint';
    default:
      return typeof value === shape.type;
  }
}

function isNullable(shape: Shape): boolean {
  return shape.anyOf?.some((inner) => inner.type === 'null') ?? (shape.type === 'array' || shape.type === 'object');
}

function zero(shape: Shape): unknown {
  if (shape.const !== undefined) return shape.const;
  if (shape.anyOf) return isNullable(shape) ? null : zero(shape.anyOf[0] ?? {});
  switch (shape.type) {
    case 'string':
      return '';
    case 'boolean':
      return false;
    case 'number':
    case 'integer':
      return 0;
    case 'bigint':
      return 0n;
    case 'array':
      return [];
    case 'object':
      return convertObject(shape, [], nowhere);
    default:
      return null;
  }
}

function checkEnum(shape: Shape, value: string, place: Place): string {
  if (shape.enum && !shape.enum.includes(value)) {
    throw invalidParameter(
      `json: ${whereIs(place)} must be one of ${shape.enum.join(', ')}, not ${JSON.stringify(value)}`,
    );
  }
  return value;
}

function toInteger(value: number | bigint, place: Place, shape: Shape): number {
  return Math.min(Number(toBigint(value, place, shape)), int64MaxAsDouble);
}

function toBigint(value: number | bigint, place: Place, shape: Shape): bigint {
  const whole = typeof value === 'bigint' || Number.isInteger(value) ? BigInt(value) : undefined;
  const [min, max] = rangeOf(shape);
  if (whole === undefined || whole > max || whole < min) throw notInRange(String(value), place, shape);
  return whole;
}

/** A member called `__proto__` is a label like any other, not the object's prototype. */
function set(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    target[key] = value;
  }
}

const foldedCache = new WeakMap<object, Map<string, string>>();

function foldedFields(properties: Record<string, Shape>): Map<string, string> {
  let fields = foldedCache.get(properties);
  if (!fields) {
    fields = new Map(Object.keys(properties).map((name) => [fold(name), name]));
    foldedCache.set(properties, fields);
  }
  return fields;
}

/** Go folds `ſ` (U+017F) to s and the Kelvin sign to k as well; the latter is what `toLowerCase` does. */
function fold(key: string): string {
  return key.replaceAll('\u017f', 's').toLowerCase();
}
