import type { Shape } from '../json-mismatch.js';
import { isRecord } from '../json-text.js';
import { nearest } from '../nearest.js';
import type { TSchema } from '../schema.js';
import { type Faults, member, quoted } from './faults.js';

/** The bounds of a manifest of any publisher. A real one has a dozen entries. */
export const manifestBounds = {
  /** Characters of the whole. */
  text: 1024 * 1024,
  list: 512,
  string: 16 * 1024,
  /** Members of one object, known or not. */
  members: 512,
} as const;

/**
 * Compares a parsed document with a schema: types, null bytes and sizes always; unknown members and entries that are
 * null where it is not lenient. Keys match in any case, as Go matches them; two that are the same to Go are a fault, since tools differ in
 * which one they read.
 */
export function checkShape(schema: TSchema, value: unknown, faults: Faults, { lenient }: { lenient: boolean }): void {
  new ShapeCheck(faults, lenient).visit(schema as Shape, value, '');
}

class ShapeCheck {
  readonly #faults: Faults;
  /** Unknown members and empty entries of lists pass. */
  readonly #lenient: boolean;

  constructor(faults: Faults, lenient: boolean) {
    this.#faults = faults;
    this.#lenient = lenient;
  }

  visit(shape: Shape, value: unknown, path: string): void {
    // Go's zero value, wherever it stands.
    if (value === null || value === undefined) return;
    const wanted = shape.anyOf?.find((each) => each.type !== 'null') ?? shape;
    const { type } = wanted;
    if (type === 'string') this.#text(value, path);
    else if (type === 'boolean') this.#boolean(value, path);
    else if (type === 'integer') this.#integer(wanted, value, path);
    else if (type === 'array') this.#list(wanted, value, path);
    else if (type === 'object') this.#object(wanted, value, path);
  }

  #boolean(value: unknown, path: string): void {
    if (typeof value !== 'boolean') this.#faults.add(path, `must be true or false, not ${named(value)}`);
  }

  #text(value: unknown, path: string): void {
    if (typeof value !== 'string') this.#faults.add(path, `must be a string, not ${named(value)}`);
    else if (value.includes('\0')) this.#faults.add(path, 'contains a null byte');
    else if (value.length > manifestBounds.string) {
      this.#faults.add(path, `has ${value.length} characters, of at most ${manifestBounds.string}`);
    }
  }

  #integer(shape: Shape, value: unknown, path: string): void {
    const { minimum, maximum } = shape as { minimum?: number; maximum?: number };
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      this.#faults.add(path, `must be a whole number, not ${named(value)}`);
    } else if ((minimum !== undefined && value < minimum) || (maximum !== undefined && value > maximum)) {
      const range = maximum === undefined ? `${minimum} or more` : `${minimum} to ${maximum}`;
      this.#faults.add(path, `must be ${range}, not ${value}`);
    }
  }

  #list(shape: Shape, value: unknown, path: string): void {
    if (!Array.isArray(value)) {
      this.#faults.add(path, `must be a list, not ${named(value)}`);
    } else if (value.length > manifestBounds.list) {
      this.#faults.add(path, `has ${value.length} entries, of at most ${manifestBounds.list}`);
    } else {
      for (const [at, item] of value.entries()) {
        if (item === null && !this.#lenient) this.#faults.add(`${path}[${at}]`, 'is null');
        this.visit(shape.items ?? {}, item, `${path}[${at}]`);
      }
    }
  }

  #object(shape: Shape, value: unknown, path: string): void {
    if (!isRecord(value)) {
      this.#faults.add(path, `must be an object, not ${named(value)}`);
      return;
    }
    const entries = Object.entries(value);
    if (entries.length > manifestBounds.members) {
      this.#faults.add(path, `has ${entries.length} members, of at most ${manifestBounds.members}`);
      return;
    }
    const properties = shape.properties ?? {};
    const names = Object.keys(properties);
    const seen = new Map<string, string>();
    for (const [key, inner] of entries) {
      const name = names.find((each) => each.toLowerCase() === folded(key));
      if (name === undefined) {
        if (!this.#lenient) this.#faults.add(member(path, key), unknownMember(key, names));
        continue;
      }
      const before = seen.get(name);
      if (before !== undefined) this.#faults.add(member(path, key), `is given twice: also as ${quoted(before)}`);
      seen.set(name, key);
      this.visit(properties[name] ?? {}, inner, member(path, name));
    }
  }
}

function unknownMember(key: string, names: readonly string[]): string {
  const near = nearest(key.slice(0, 80), names);
  return near === undefined ? 'unknown member' : `unknown member; did you mean ${near}?`;
}

/** As Go folds keys. */
const folded = (key: string): string => key.replaceAll('\u017f', 's').toLowerCase();

function named(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'null';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? quoted(value) : String(value).slice(0, 80);
}
