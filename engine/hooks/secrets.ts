import { isRecord, parseJson, stringify } from '@cleat/protocol/json';
import type { MemberPath } from '@cleat/protocol/member-path';
import { readable } from '@cleat/protocol/untrusted';

/** Values under such names are nobody's business. */
const telling = /pass(word|wd|phrase)?|secret|token|auth|credential|api.?key|private.?key|cookie|session|bearer/i;

const hidden = '(not shown)';
const maxText = 200;

/** A value for a trace: JSON, shortened, without secrets. @returns undefined where there is none */
export function shown(path: MemberPath, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (path.some((part) => typeof part === 'string' && telling.test(part))) return hidden;
  return readable(stringify(masked(value)), maxText);
}

/** A value without secrets. */
export function masked(value: unknown): unknown {
  if (typeof value === 'string') {
    const inner = jsonIn(value);
    if (inner !== undefined) return stringify(masked(inner));
    // An environment variable, a label or an option.
    const name = /^([^=]*)=/.exec(value)?.[1];
    if (name !== undefined && telling.test(name)) return `${name}=${hidden}`;
    return value.replace(/(:\/\/[^/@:\s]*):[^/@\s]*@/g, `$1:${hidden}@`);
  }
  if (Array.isArray(value)) return value.map(masked);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, telling.test(key) ? hidden : masked(member)]),
  );
}

/** Parameters of a query may be JSON, such as `buildargs`. */
function jsonIn(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return parseJson(text);
  } catch {
    return undefined; // A text like any other.
  }
}
