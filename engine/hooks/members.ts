import { invalidParameter } from '@cleat/protocol/errors';
import { decode, isRecord } from '@cleat/protocol/json';
import type { Shape } from '@cleat/protocol/json-mismatch';
import { type MemberPath, memberPathText } from '@cleat/protocol/member-path';
import type { TSchema } from '@cleat/protocol/schema';

/**
 * Members of a message in its schema's shape. What hooks say is foreign: a path leads only where the schema has
 * something, and a member that it does not have is refused. It would be dropped later, and a limit with it that the hook
 * believes to be set.
 */

/** The value at a path; undefined: there is none. */
export function valueAt(value: unknown, path: MemberPath): unknown {
  let at = value;
  for (const part of path) {
    if (Array.isArray(at) && typeof part === 'number') at = at[part];
    else if (isRecord(at) && typeof part === 'string' && Object.hasOwn(at, part)) at = at[part];
    else return undefined;
  }
  return at;
}

/** A copy with another value at a path; what is missing on the way is made. @throws InvalidParameter */
export function withValue(value: unknown, path: MemberPath, next: unknown, whole = path): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return next;
  if (typeof part === 'number') {
    if (!Array.isArray(value) || part >= value.length) throw notThere(whole);
    return value.with(part, withValue(value[part], rest, next, whole));
  }
  if (value !== undefined && value !== null && !isRecord(value)) throw notThere(whole);
  const before = value ?? {};
  return { ...before, [part]: withValue(Object.hasOwn(before, part) ? before[part] : undefined, rest, next, whole) };
}

/** A copy without what is at a path. @throws InvalidParameter for an element of a list */
export function withoutValue(value: unknown, path: MemberPath, whole = path): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return undefined;
  if (typeof part === 'number') {
    if (rest.length === 0) throw invalidParameter(`${memberPathText(whole)}: set the list without it instead`);
    if (!Array.isArray(value) || part >= value.length) return value;
    return value.with(part, withoutValue(value[part], rest, whole));
  }
  if (!isRecord(value) || !Object.hasOwn(value, part)) return value;
  if (rest.length > 0) return { ...value, [part]: withoutValue(value[part], rest, whole) };
  const { [part]: _removed, ...others } = value;
  return others;
}

const notThere = (path: MemberPath) => invalidParameter(`${memberPathText(path)}: nothing of that form is there`);

/** The schema of what is at a path. @throws InvalidParameter for a member that it does not have */
export function schemaAt(schema: TSchema, path: MemberPath, root: string): TSchema {
  let shape = schema as Shape;
  for (const [at, part] of path.entries()) {
    const next = step(shape, part);
    if (!next) {
      const here = [root, ...path.slice(0, at + 1)];
      throw invalidParameter(`${memberPathText(here)}: the API has no such member`);
    }
    shape = next;
  }
  return shape as TSchema;
}

function step(shape: Shape, part: string | number): Shape | undefined {
  if (shape.anyOf) {
    for (const one of shape.anyOf) {
      const found = one.type === 'null' ? undefined : step(one, part);
      if (found) return found;
    }
    return undefined;
  }
  // Anything may be there.
  if (shape.type === undefined) return {};
  if (typeof part === 'number') return shape.type === 'array' ? (shape.items ?? {}) : undefined;
  if (shape.type !== 'object') return undefined;
  if (shape.properties && Object.hasOwn(shape.properties, part)) return shape.properties[part];
  return othersOf(shape);
}

function othersOf({ patternProperties, additionalProperties }: Shape): Shape | undefined {
  const others = patternProperties ? Object.values(patternProperties)[0] : additionalProperties;
  return others === true ? {} : others || undefined;
}

/** A value in its schema's shape. @throws InvalidParameter for one of another type, and for members that it does not have */
export function decodeStrictly(schema: TSchema, value: unknown, what: string): unknown {
  refuseUnknown(schema as Shape, value, what);
  return decode(schema, value, what);
}

function refuseUnknown(shape: Shape, value: unknown, what: string): void {
  if (Array.isArray(value)) {
    for (const item of value) refuseUnknown(itemsOf(shape), item, `${what}[]`);
    return;
  }
  if (!isRecord(value)) return;
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') throw invalidParameter(`${what}: __proto__ is no member of anything`);
    const next = step(shape, key);
    if (!next) throw invalidParameter(`${what}.${key}: the API has no such member`);
    refuseUnknown(next, member, `${what}.${key}`);
  }
}

function itemsOf(shape: Shape): Shape {
  const list = shape.anyOf?.find(({ type }) => type === 'array') ?? shape;
  return list.items ?? {};
}

/** Names the subject of an element in a list: of `NAME=value` the name, of a mount its target; else the element itself. */
export function elementKey(element: unknown): string {
  if (typeof element === 'string') return /^[^=]+=/.exec(element)?.[0] ?? element;
  if (isRecord(element)) {
    for (const name of ['Target', 'PathInContainer', 'Name']) {
      const value = Object.hasOwn(element, name) ? element[name] : undefined;
      if (typeof value === 'string' && value !== '') return `${name} ${value}`;
    }
  }
  return JSON.stringify(element, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ?? '';
}
