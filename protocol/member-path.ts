import { invalidParameter } from './errors.js';

/** Leads to a member of a message: names, and places in lists. */
export type MemberPath = readonly (string | number)[];

/** Parts of a path, and characters of one: what is longer is no path of anything here. */
const maxParts = 32;
const maxLength = 1024;

/**
 * Reads `Body.HostConfig.Memory`, `Body.Labels["a.b"]` or `Body.Mounts[0].Source`.
 * @throws InvalidParameter
 */
export function parseMemberPath(text: string): MemberPath {
  const wrong = (why: string) => invalidParameter(`${JSON.stringify(text.slice(0, 200))} is not a path: ${why}`);
  if (text.length > maxLength) throw wrong(`it has more than ${maxLength} characters`);
  const path: (string | number)[] = [];
  for (let at = 0; at < text.length; ) {
    part.lastIndex = at;
    const [all, name, index, quoted] = part.exec(text) ?? [];
    const isFirst = at === 0;
    if (all === undefined || (name !== undefined && isFirst === all.startsWith('.'))) {
      throw wrong('write it as Body.HostConfig.Memory, Body.Labels["a.b"] or Body.Mounts[0].Source');
    }
    const one = name ?? (index === undefined ? unquoted(quoted ?? '') : Number(index));
    if (one === undefined) throw wrong('a name in brackets is a JSON string');
    if (one === '__proto__') throw wrong('it leads to no member');
    path.push(one);
    at += all.length;
  }
  if (path.length === 0) throw wrong('it is empty');
  if (path.length > maxParts) throw wrong(`it has more than ${maxParts} parts`);
  return path;
}

const part = /\.?([A-Za-z_][\w-]*)|\[(\d{1,6})\]|\[("(?:[^"\\]|\\.)*")\]/y;

function unquoted(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined; // said by the caller
  }
}

/** The path as it is written. */
export function memberPathText(path: MemberPath): string {
  return path
    .map((one, at) => {
      if (typeof one === 'number') return `[${one}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(one)) return `[${JSON.stringify(one)}]`;
      return at === 0 ? one : `.${one}`;
    })
    .join('');
}

/** `path` is `other`, or leads further in. */
export function isWithin(path: MemberPath, other: MemberPath): boolean {
  return other.length <= path.length && other.every((one, at) => path[at] === one);
}
