import { invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import type { HookChanges } from '@cleat/protocol/kinds/hook';
import { type MemberPath, memberPathText, parseMemberPath } from '@cleat/protocol/member-path';
import type { TSchema } from '@cleat/protocol/schema';
import { canonicalHeader, checkHeader } from './headers.js';
import { decodeStrictly, elementKey, schemaAt, valueAt } from './members.js';
import type { Wish } from './owners.js';

/** Changes in one answer of a hook. */
const maxChanges = 256;

/** A request, or an answer, that hooks may change. */
export interface Changeable {
  /** `{Query, Headers, Body}` or `{Status, Headers, Body}` */
  readonly message: unknown;
  readonly roots: readonly string[];
  /** Absent: the body may be anything. */
  readonly body?: TSchema | undefined;
}

/** One change as a hook words it. */
export interface Change {
  readonly kind: 'set' | 'add' | 'remove';
  readonly path: MemberPath;
  readonly value: unknown;
}

/** The changes that an answer asks for, in their order. @throws InvalidParameter for one that cannot be made anywhere */
export function changesOf(
  { Set: set = [], Add: add = [], Remove: remove = [] }: HookChanges,
  roots: readonly string[],
): Change[] {
  if (set.length + add.length + remove.length > maxChanges) throw invalidParameter(`more than ${maxChanges} changes`);
  return [
    ...remove.map((path) => change('remove', path, undefined, roots)),
    ...set.map(({ Path, Value }) => change(Value === null ? 'remove' : 'set', Path, Value, roots)),
    ...add.map(({ Path, Value }) => change('add', Path, Value, roots)),
  ];
}

function change(kind: Change['kind'], text: string, value: unknown, roots: readonly string[]): Change {
  const written = parseMemberPath(text);
  const [root, name] = written;
  if (!roots.includes(String(root))) throw invalidParameter(`${text}: a path begins with ${roots.join(', ')}`);
  if ((root === 'Query' || root === 'Headers') && typeof name !== 'string') {
    throw invalidParameter(`${text}: name one member of it`);
  }
  if (kind !== 'remove' && value === undefined) throw invalidParameter(`${text}: it has no Value`);
  const path = root === 'Headers' ? ['Headers', canonicalHeader(String(name)), ...written.slice(2)] : written;
  return { kind, path, value };
}

/** Fits a change into the message as it is now. @throws InvalidParameter when it does not fit in there */
export function wishOf(hook: string, { kind, path, value }: Change, to: Changeable): Wish {
  const decoded = kind === 'remove' ? undefined : checked(kind, path, value, to);
  if (kind === 'remove') checkRemovable(path, to);
  if (kind !== 'add') return { hook, path: byElements(to.message, path), value: decoded, place: path, next: decoded };
  const list = valueAt(to.message, path) ?? [];
  if (!Array.isArray(list)) throw invalidParameter(`${memberPathText(path)} is no list`);
  const key = elementKey(decoded);
  const at = list.findIndex((element) => elementKey(element) === key);
  const next = at < 0 ? [...list, decoded] : list.with(at, decoded);
  return { hook, path: [...byElements(to.message, path), key], value: decoded, place: path, next };
}

function checked(kind: Change['kind'], path: MemberPath, value: unknown, { body, roots }: Changeable): unknown {
  const what = memberPathText(path);
  const [root, ...rest] = path;
  switch (root) {
    case 'Headers':
      if (kind === 'add' || rest.length !== 1) throw invalidParameter(`${what}: a header is set as a whole`);
      return checkHeader(String(rest[0]), value, roots.includes('Query'));
    case 'Query':
      if (kind === 'add' && rest[0] !== 'filters') throw invalidParameter(`${what}: a parameter is set as a whole`);
      return queryValue(kind, rest, value, what);
    case 'Status':
      if (rest.length > 0 || kind === 'add' || !isStatus(value)) throw invalidParameter(`${what}: 200 to 599`);
      return value;
    default: {
      if (!body) {
        if (roots.includes('Query')) throw invalidParameter(`${what}: the request has no body that can be changed`);
        return decodeStrictly({}, value, what);
      }
      const shape = schemaAt(body, rest, 'Body');
      return decodeStrictly(kind === 'add' ? schemaAt(shape, [0], what) : shape, value, what);
    }
  }
}

function checkRemovable(path: MemberPath, { body, roots }: Changeable): void {
  const [root, ...rest] = path;
  const what = memberPathText(path);
  if (root === 'Headers') checkHeader(String(rest[0]), '', roots.includes('Query'));
  if (root === 'Status' || path.length < 2) throw invalidParameter(`${what} cannot be removed`);
  if (root === 'Body' && roots.includes('Query')) {
    if (!body) throw invalidParameter(`${what}: the request has no body that can be changed`);
    schemaAt(body, rest, 'Body');
  }
}

export const isStatus = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 599;

function queryValue(kind: Change['kind'], [name, ...rest]: MemberPath, value: unknown, what: string): unknown {
  if (name === 'filters') {
    if (rest.length === 0 && kind === 'set' && isRecord(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, list]) => [key, textsOf(list, `${what}.${key}`)]));
    }
    if (rest.length === 1) return kind === 'add' ? textOf(value, what) : textsOf(value, what);
    throw invalidParameter(`${what}: filters are an object of lists`);
  }
  if (rest.length > 0) throw invalidParameter(`${what}: a parameter is set as a whole`);
  return Array.isArray(value) ? textsOf(value, what) : textOf(value, what);
}

function textsOf(value: unknown, what: string): string[] {
  if (!Array.isArray(value)) throw invalidParameter(`${what}: a list of texts is expected`);
  return value.map((item) => textOf(item, what));
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw invalidParameter(`${what}: a text is expected`);
}

/** Places in lists, which shift, as what is there at this moment. */
function byElements(message: unknown, path: MemberPath): MemberPath {
  let at = message;
  return path.map((part) => {
    const isElement = Array.isArray(at) && typeof part === 'number';
    const next = valueAt(at, [part]);
    at = next;
    return isElement && next !== undefined ? elementKey(next) : part;
  });
}
