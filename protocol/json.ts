import { invalidParameter } from './errors.js';
import type { Static, TSchema } from './schema.js';

export { unexpectedContent } from './json-complaint.js';
export { isRecord, parseJson, stringify } from './json-text.js';
export type { Static, TSchema } from './schema.js';

/**
 * JSON as Go reads and writes it. Clients and plugins rely on Go's leniency (keys in any case, null for absent, unknown
 * keys), and int64 values do not fit into a JavaScript number. Keys are folded once, here, before anything else looks
 * at a body: whoever checks a request must see what the engine will act on.
 */

const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);
/** The greatest double that is still an int64. */
const int64MaxAsDouble = 2 ** 63 - 1024;

/**
 * Brings a parsed value into the schema's shape, as Go's `json.Unmarshal` fills a struct: keys match in any case and
 * the last duplicate wins; null and missing members stay absent, or become the zero value where the schema requires
 * them; unknown keys are dropped, unless the schema has `additionalProperties`; for a union of a string and a list of
 * strings, a string becomes a list of one. Whole numbers beyond a double's exact range stay within int64; with
 * `Type.BigInt()` they are exact. Checks types, not ranges or patterns.
 * @param what names the whole in errors, as Go names the struct.
 * @throws InvalidParameter with a text like Go's.
 */
export function decode<S extends TSchema>(schema: S, value: unknown, what = 'request'): Static<S> {
  return convert(schema, value, what) as Static<S>;
}

/** The JSON Schema keywords that our schemas use. */
interface Shape {
  type?: string;
  anyOf?: Shape[];
  const?: unknown;
  enum?: unknown[];
  items?: Shape;
  properties?: Record<string, Shape>;
  required?: string[];
  patternProperties?: Record<string, Shape>;
  additionalProperties?: boolean | Shape;
}

function convert(schema: TSchema, value: unknown, path: string): unknown {
  const shape = schema as Shape;
  if (shape.anyOf) return convertUnion(shape.anyOf, value, path);
  if (shape.const !== undefined) {
    if (value === shape.const || value === null || value === undefined) return shape.const;
    throw invalidParameter(`json: ${path} must be ${JSON.stringify(shape.const)}`);
  }
  if (shape.type === undefined) return value;
  if (value === null || value === undefined) return zero(shape);
  switch (shape.type) {
    case 'string':
      if (typeof value === 'string') return checkEnum(shape, value, path);
      break;
    case 'boolean':
      if (typeof value === 'boolean') return value;
      break;
    case 'number':
      if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
      break;
    case 'integer':
      if (typeof value === 'number' || typeof value === 'bigint') return toInteger(value, path);
      break;
    case 'bigint':
      if (typeof value === 'number' || typeof value === 'bigint') return toBigint(value, path);
      break;
    case 'null':
      break;
    case 'array':
      if (Array.isArray(value)) return value.map((item) => convert(shape.items ?? {}, item, path));
      break;
    case 'object':
      if (typeof value === 'object' && !Array.isArray(value)) return convertObject(shape, Object.entries(value), path);
      break;
  }
  throw mismatch(value, path, shape);
}

function convertObject(shape: Shape, entries: [string, unknown][], path: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  const properties = shape.properties ?? {};
  const fields = foldedFields(properties);
  const others = shape.patternProperties ? Object.values(shape.patternProperties)[0] : shape.additionalProperties;
  for (const [key, value] of entries) {
    const name = Object.hasOwn(properties, key) ? key : fields.get(fold(key));
    if (name === undefined) {
      if (others) set(result, key, convert(others === true ? {} : others, value, `${path}.${key}`));
      continue;
    }
    const property = properties[name] ?? {};
    // Go sets a pointer, list or map to nil and leaves a plain field as it is.
    if (value === null || value === undefined) {
      if (isNullable(property)) delete result[name];
    } else {
      result[name] = convert(property, value, `${path}.${name}`);
    }
  }
  for (const name of shape.required ?? []) {
    if (!Object.hasOwn(result, name)) result[name] = zero(properties[name] ?? {});
  }
  return result;
}

function convertUnion(shapes: Shape[], value: unknown, path: string): unknown {
  if (value === null || value === undefined) {
    return isNullable({ anyOf: shapes }) ? null : zero(shapes[0] ?? {});
  }
  const list = shapes.find((shape) => shape.type === 'array' && shape.items?.type === 'string');
  if (typeof value === 'string' && list && shapes.some((shape) => shape.type === 'string')) return [value];
  const fitting = shapes.filter((shape) => accepts(shape, value));
  const [first] = fitting;
  if (first === undefined) throw mismatch(value, path, shapes.find((shape) => shape.type !== 'null') ?? {});
  return convert(first, value, path);
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
      return typeof value === 'object' && !Array.isArray(value);
    case 'integer':
    case 'number':
    case 'bigint':
      return typeof value === 'number' || typeof value === 'bigint';
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
      return convertObject(shape, [], '');
    default:
      return null;
  }
}

function checkEnum(shape: Shape, value: string, path: string): string {
  if (shape.enum && !shape.enum.includes(value)) {
    throw invalidParameter(`json: ${path} must be one of ${shape.enum.join(', ')}, not ${JSON.stringify(value)}`);
  }
  return value;
}

function toInteger(value: number | bigint, path: string): number {
  const exact = toBigint(value, path);
  const double = Number(exact);
  return Math.min(double, int64MaxAsDouble);
}

function toBigint(value: number | bigint, path: string): bigint {
  const whole = typeof value === 'bigint' || Number.isInteger(value) ? BigInt(value) : undefined;
  if (whole === undefined || whole > int64Max || whole < int64Min) {
    throw invalidParameter(`json: cannot unmarshal number ${value} into Go struct field ${path} of type int64`);
  }
  return whole;
}

/** JSON's types in Go's words. */
function mismatch(value: unknown, path: string, wanted: Shape): Error {
  const got = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : numberOr(typeof value);
  const where = path.includes('.') ? `struct field ${path} of type ${goType(wanted)}` : `value of type ${path}`;
  return invalidParameter(`json: cannot unmarshal ${got} into Go ${where}`);
}

/** How Go calls a shape; what is a struct of some name there has none here. */
function goType(shape: Shape): string {
  switch (shape.type) {
    case 'integer':
    case 'bigint':
      return 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'array':
      return `[]${goType(shape.items ?? {})}`;
    case 'object': {
      const [values] = Object.values(shape.patternProperties ?? {});
      return values ? `map[string]${goType(values)}` : 'struct';
    }
    default:
      return shape.type ?? 'interface {}';
  }
}

const numberOr = (type: string): string => (type === 'bigint' ? 'number' : type);

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
