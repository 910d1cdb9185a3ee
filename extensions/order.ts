import { invalidParameter } from '@cleat/protocol/errors';
import { kinds } from '@cleat/protocol/kinds/index';
import type { ManifestEntry } from './manifest.js';

/** An entry starts after these: entries by their ID, all of them enabled. */
export interface Prerequisites {
  /** It starts once these answer. */
  readonly needs: readonly string[];
  /** It starts once these answer or have failed to. */
  readonly after: readonly string[];
}

/**
 * Finds the entries that each entry starts after. In a manifest `needs` and `after` name other entries, or a kind,
 * which stands for all other entries of that kind.
 * @throws InvalidParameter for a name that nobody has, for needing what is left out, and for entries that wait for
 * each other; it names the file and the entry
 */
export function prerequisites(entries: readonly ManifestEntry[]): Map<string, Prerequisites> {
  const enabled = entries.filter((entry) => entry.enabled);
  const order = new Map(
    enabled.map((entry) => [
      entry.id,
      { needs: resolveAll(entry, 'needs', entries), after: resolveAll(entry, 'after', entries) },
    ]),
  );
  refuseCycles(order);
  return order;
}

function resolveAll(entry: ManifestEntry, member: 'needs' | 'after', entries: readonly ManifestEntry[]): string[] {
  const found = entry[member].flatMap((name) => resolve(entry, member, name, entries));
  return [...new Set(found.map(({ id }) => id))];
}

function resolve(
  entry: ManifestEntry,
  member: 'needs' | 'after',
  name: string,
  entries: readonly ManifestEntry[],
): ManifestEntry[] {
  const where = `${entry.origin}: ${entry.id}: ${member} names '${name}'`;
  const named = entries.find(({ id }) => id === name);
  const isKind = kinds.some((kind) => kind.name === name) || entries.some((one) => one.kinds.includes(name));
  if (!named && !isKind) {
    const known = [...entries.map(({ id }) => id), ...kinds.map((kind) => kind.name)].join(', ');
    throw invalidParameter(
      `${where}, which is neither an entry of a manifest nor a kind of extension (known: ${known})`,
    );
  }
  const candidates = named ? [named] : entries.filter((one) => one !== entry && one.kinds.includes(name));
  const enabled = candidates.filter((one) => one.enabled);
  if (member === 'needs' && enabled.length === 0) {
    const why = named ? 'which is left out by the configuration' : 'and no other entry of that kind is enabled';
    throw invalidParameter(`${where}, ${why}: leave '${entry.id}' out, too, or give it what it needs`);
  }
  return enabled;
}

/** @throws InvalidParameter that names those that wait for each other */
export function refuseCycles(order: ReadonlyMap<string, Prerequisites>): void {
  const done = new Set<string>();
  const visit = (id: string, path: readonly string[]): void => {
    const at = path.indexOf(id);
    if (at >= 0) {
      const cycle = [...path.slice(at), id].map((one) => `'${one}'`).join(' waits for ');
      throw invalidParameter(`extensions wait for each other: ${cycle}; take one of their needs or after away`);
    }
    if (done.has(id)) return;
    const { needs = [], after = [] } = order.get(id) ?? {};
    for (const next of [...needs, ...after]) visit(next, [...path, id]);
    done.add(id);
  };
  for (const id of order.keys()) visit(id, []);
}

/**
 * Does `work` for each, and for none before it is done for all that `before` names; what is independent goes on at the
 * same time. A failure keeps nobody back. @returns all failures
 */
export async function inOrder<T>(
  items: readonly T[],
  before: (item: T) => readonly T[],
  work: (item: T) => Promise<void>,
): Promise<unknown[]> {
  const failures: unknown[] = [];
  // As it is now: the work itself may change it.
  const order = new Map(items.map((item) => [item, before(item)]));
  const begun = new Map<T, Promise<void>>();
  const doOne = (item: T): Promise<void> => {
    let done = begun.get(item);
    if (!done) {
      // The order has no circles.
      done = Promise.resolve()
        .then(() => Promise.all((order.get(item) ?? before(item)).map(doOne)))
        .then(() => work(item))
        .catch((error: unknown) => void failures.push(error));
      begun.set(item, done);
    }
    return done;
  };
  await Promise.all(items.map(doOne));
  return failures;
}
