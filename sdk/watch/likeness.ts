import { createHash } from 'node:crypto';
import { type ObjectKind, objectKinds, type Row } from './kinds.js';

/** A watcher takes two objects of one likeness for the same, whatever the order of their members and lists. */
export function likeness(kind: ObjectKind, object: Row, inspected: Row | undefined): string {
  const restless = new Set(objectKinds[kind].restless);
  const text = `${canonical(object, '', restless)} ${canonical(inspected, '', restless)}`;
  return createHash('sha1').update(text).digest('base64');
}

function canonical(value: unknown, path: string, restless: ReadonlySet<string>): string {
  // Ports and mounts come in any order.
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, path, restless)).sort()}]`;
  if (typeof value !== 'object' || value === null) return scalar(value, path);
  const members = Object.entries(value)
    .map(([key, member]): [string, unknown, string] => [key, member, path === '' ? key : `${path}.${key}`])
    .filter(([, , at]) => !restless.has(at))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member, at]) => `${JSON.stringify(key)}:${canonical(member, at, restless)}`)}}`;
}

/** Keeps only the part in brackets of a row's `Up 5 minutes (healthy)`: time goes by without a change. */
function scalar(value: unknown, path: string): string {
  if (path === 'Status' && typeof value === 'string') return JSON.stringify(value.match(/\(.*?\)/g));
  return JSON.stringify(value) ?? 'undefined';
}
