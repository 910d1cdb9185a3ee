import type { Awaited } from './arrivals.js';
import { type ExtensionStatus, idle } from './status.js';

/** Each with those who wait for it, and at the end those whom somebody waits for, and of whom nothing is known. */
export function withAwaited(known: readonly ExtensionStatus[], awaited: readonly Awaited[]): ExtensionStatus[] {
  const all = [...known];
  for (const { kind, name, since, reason, by } of awaited) {
    const called = (one: ExtensionStatus) => one.name === name || one.aliases?.includes(name);
    const at = all.findIndex((one) => called(one) && (one.kinds.length === 0 || one.kinds.includes(kind)));
    const status = all[at];
    if (status) all[at] = { ...status, awaitedBy: by };
    else all.push(missing(kind, name, since, reason, by));
  }
  return all;
}

function missing(
  kind: string,
  name: string,
  since: Date,
  reason: string,
  awaitedBy: readonly string[],
): ExtensionStatus {
  return {
    ...idle,
    name,
    entry: undefined,
    kinds: [kind],
    carrier: 'socket',
    origin: '-',
    state: 'missing',
    reason,
    since,
    awaitedBy,
  };
}
