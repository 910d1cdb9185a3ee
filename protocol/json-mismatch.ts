import { invalidParameter } from './errors.js';

/** The JSON Schema keywords that our schemas use. */
export interface Shape {
  type?: string;
  anyOf?: Shape[];
  const?: unknown;
  enum?: unknown[];
  items?: Shape;
  properties?: Record<string, Shape>;
  required?: string[];
  patternProperties?: Record<string, Shape>;
  additionalProperties?: boolean | Shape;
  /**
   * How Go calls the type, where that does not follow from the schema: `container.HostConfig`. See
   * `protocol/schema.ts`.
   */
  'x-go-type'?: string;
  /** For a struct's member: the structs that Go embeds around it, `Resources`. */
  'x-go-embedded'?: string;
}

/**
 * Where a value stands, as Go 1.24 says it in errors: the innermost struct, and the members that lead there from the
 * outermost one. Places in a list and keys of a map are no part of it; but where no struct of Go's is compared with, a
 * key helps.
 */
export interface Place {
  readonly struct: string;
  readonly path: string;
  readonly isGo?: boolean | undefined;
}

/** The place below a member of a struct at `place`. */
export function memberOf(place: Place, struct: Shape, name: string, member: Shape): Place {
  const path = [place.path, member['x-go-embedded'], name].filter(Boolean).join('.');
  const own = structName(struct);
  return { struct: own ?? place.struct, path, isGo: own !== undefined || place.isGo };
}

/** The place below a key of a map at `place`. */
export function underKey(place: Place, key: string): Place {
  return place.isGo ? place : { struct: place.struct, path: place.path === '' ? key : `${place.path}.${key}` };
}

export const whereIs = ({ struct, path }: Place): string => (path === '' ? struct : `${struct}.${path}`);

/** A value of another type than `wanted`, in Go's words. */
export function mismatch(value: unknown, place: Place, wanted: Shape): Error {
  return cannotUnmarshal(kindOf(value), place, wanted);
}

/** The whole numbers that a schema's type holds. */
export function rangeOf(shape: Shape): readonly [min: bigint, max: bigint] {
  return ranges[shape['x-go-type'] ?? 'int64'] ?? int64;
}

/** A number that is none of those. @param text as it was written */
export function notInRange(text: string, place: Place, wanted: Shape): Error {
  return cannotUnmarshal(`number ${text}`, place, wanted);
}

const int64 = [-(2n ** 63n), 2n ** 63n - 1n] as const;
const uint32 = [0n, 2n ** 32n - 1n] as const;
const uint64 = [0n, 2n ** 64n - 1n] as const;
const ranges: Record<string, readonly [bigint, bigint]> = {
  int64,
  uint: uint64,
  uint16: [0n, 2n ** 16n - 1n],
  uint64,
  uint32,
  'fs.FileMode': uint32,
};

function cannotUnmarshal(got: string, place: Place, wanted: Shape): Error {
  const where = place.path === '' ? 'value' : `struct field ${whereIs(place)}`;
  // Where Go has no struct, the type has the name that its reader gives it.
  const type = place.path === '' && isUnnamed(wanted) ? place.struct : goType(wanted);
  return invalidParameter(`json: cannot unmarshal ${got} into Go ${where} of type ${type}`);
}

const isUnnamed = (shape: Shape): boolean => shape.properties !== undefined && structName(shape) === undefined;

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'bigint' ? 'number' : typeof value;
}

/** A type's name without its package. */
function structName(shape: Shape): string | undefined {
  const name = shape['x-go-type'];
  return name?.slice(name.lastIndexOf('.') + 1);
}

function goType(shape: Shape): string {
  if (shape['x-go-type'] !== undefined) return shape['x-go-type'];
  if (shape.anyOf) return unionType(shape.anyOf);
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
      if (values) return `map[string]${goType(values)}`;
      return Object.keys(shape.properties ?? {}).length === 0 ? 'struct {}' : 'struct';
    }
    default:
      return shape.type ?? 'interface {}';
  }
}

/** A struct that may be null is a pointer in Go. */
function unionType(shapes: readonly Shape[]): string {
  const others = shapes.filter((shape) => shape.type !== 'null');
  const [first = {}] = others;
  const pointer = others.length < shapes.length && first.properties !== undefined;
  return `${pointer ? '*' : ''}${goType(first)}`;
}
