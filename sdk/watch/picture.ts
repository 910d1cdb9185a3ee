import type { Logger } from '@cleat/protocol/log';
import { DurableMap } from '../state.js';
import { type Inspected, type ObjectKind, type Objects, objectKinds, type Row } from './kinds.js';
import { likeness } from './likeness.js';

/** An object as it was last seen. */
export interface Known<K extends ObjectKind> {
  readonly object: Objects[K];
  /** Where `inspect` was asked for. */
  readonly inspect?: Inspected[K];
}

/** The objects that are there, by ID (volumes: by name). */
export type Picture = { readonly [K in ObjectKind]: ReadonlyMap<string, Known<K>> };

/** The facts that are kept of an object of any kind. */
export interface Seen {
  readonly object: Row;
  readonly inspect?: Row;
  readonly likeness: string;
}

type Saved = Omit<Seen, 'likeness'> | { readonly newest: string };

/** How far the events were followed; no kind is called so. */
const positionKey = 'position';

/** The picture, and its copy on disk, which follows when its consumer has dealt with a change. */
export class SavedPicture {
  readonly seen: Readonly<Record<ObjectKind, Map<string, Seen>>> = {
    container: new Map(),
    image: new Map(),
    network: new Map(),
    volume: new Map(),
  };
  readonly #state: DurableMap<Saved> | undefined;

  /** @param path of the file; without one nothing is kept */
  constructor(path: string | undefined, log: Pick<Logger, 'warn'>) {
    this.#state = path === undefined ? undefined : new DurableMap<Saved>(path, log);
    for (const [key, saved] of this.#state?.entries() ?? []) {
      const [, kind, id = ''] = /^(\w+)\/(.+)$/s.exec(key) ?? [];
      if (!isKind(kind) || !('object' in saved)) continue;
      this.seen[kind].set(id, { ...saved, likeness: likeness(kind, saved.object, saved.inspect) });
    }
  }

  /** Nanoseconds since the epoch up to which events were dealt with, by this process or the one before. */
  get newest(): bigint | undefined {
    const saved = this.#state?.get(positionKey);
    return saved && 'newest' in saved && /^\d+$/.test(saved.newest) ? BigInt(saved.newest) : undefined;
  }

  reached(newest: bigint): void {
    if (newest > (this.newest ?? 0n)) this.#state?.set(positionKey, { newest: String(newest) });
  }

  /** Brings the copy of one object up to date. */
  save(kind: ObjectKind, id: string): void {
    const seen = this.seen[kind].get(id);
    if (seen) this.#state?.set(`${kind}/${id}`, { object: seen.object, inspect: seen.inspect });
    else this.#state?.delete(`${kind}/${id}`);
  }

  close(): void {
    this.#state?.close();
  }
}

function isKind(text: string | undefined): text is ObjectKind {
  return text !== undefined && Object.hasOwn(objectKinds, text);
}
