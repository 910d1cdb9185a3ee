import { Backoff } from '@cleat/protocol/async/backoff';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { watchDirectories } from './discovery/changes.js';
import type { ArrivalOptions } from './service.js';

/** Between two looks: short after something changed, then longer; a stat or a refused connection each. */
const pauses = { firstMs: 50, longestMs: 1_000 };

/** An extension that somebody waits for. */
export interface Awaited {
  readonly kind: string;
  readonly name: string;
  readonly since: Date;
  /** Why it was not there when it was last looked for; empty before that. */
  readonly reason: string;
  /** The waiting containers and clients. */
  readonly by: readonly string[];
}

interface Waiter extends ArrivalOptions {
  arrived: () => void;
}

interface Search {
  kind: string;
  name: string;
  since: Date;
  reason: string;
  waiters: Set<Waiter>;
  backoff: Backoff;
  /** Ends the present pause. */
  look: () => void;
}

export interface ArrivalsSettings {
  /** Resolves when the extension answers, rejects soon with the reason when it does not. */
  probe: (kind: string, name: string) => Promise<void>;
  pluginDirectories: readonly string[];
}

/** Waiting for extensions: one search for each, however many wait, and none without a waiter. */
export class Arrivals {
  readonly #settings: ArrivalsSettings;
  readonly #searches = new Map<string, Search>();
  #unwatch: (() => void) | undefined;

  constructor(settings: ArrivalsSettings) {
    this.#settings = settings;
  }

  /** Resolves when the extension answers. @throws the signal's reason */
  arrival(kind: string, name: string, options: ArrivalOptions): Promise<void> {
    const { signal } = options;
    if (signal.aborted) return Promise.reject(signal.reason);
    const search = this.#searchFor(kind, name);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        search.waiters.delete(waiter);
        if (search.waiters.size === 0) this.#end(search);
        reject(signal.reason);
      };
      const arrived = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const waiter: Waiter = { ...options, arrived };
      signal.addEventListener('abort', onAbort, { once: true });
      search.waiters.add(waiter);
      if (search.reason) options.onReason?.(search.reason);
    });
  }

  list(): Awaited[] {
    return [...this.#searches.values()].map(({ kind, name, since, reason, waiters }) => ({
      kind,
      name,
      since,
      reason,
      by: [...new Set([...waiters].map(({ by }) => by))],
    }));
  }

  /** Something happened to the extension of that name, or, without a name, to any: it is looked for at once. */
  hint(name?: string): void {
    for (const search of this.#searches.values()) {
      if (name !== undefined && search.name !== name) continue;
      search.backoff.reset();
      search.look();
    }
  }

  close(): void {
    this.#unwatch?.();
    for (const search of this.#searches.values()) this.#end(search);
  }

  #searchFor(kind: string, name: string): Search {
    const key = `${kind} ${name}`;
    const known = this.#searches.get(key);
    if (known) return known;
    const search: Search = {
      kind,
      name,
      since: new Date(),
      reason: '',
      waiters: new Set(),
      backoff: new Backoff(pauses),
      look: () => {},
    };
    this.#searches.set(key, search);
    this.#unwatch ??= watchDirectories(this.#settings.pluginDirectories, () => this.hint());
    void this.#run(search);
    return search;
  }

  async #run(search: Search): Promise<void> {
    while (this.#isWanted(search)) {
      const reason = await this.#settings.probe(search.kind, search.name).then(
        () => undefined,
        // It is there, and is something else: a caller that waited learns that when it uses it.
        (error: unknown) => (isClass(error, 'InvalidParameter') ? undefined : messageOf(error)),
      );
      if (reason === undefined) {
        this.#end(search);
        for (const { arrived } of search.waiters) arrived();
        return;
      }
      if (reason !== search.reason) {
        search.reason = reason;
        for (const { onReason } of search.waiters) onReason?.(reason);
      }
      await pause(search);
    }
  }

  #isWanted(search: Search): boolean {
    return this.#searches.get(`${search.kind} ${search.name}`) === search;
  }

  #end(search: Search): void {
    if (this.#isWanted(search)) this.#searches.delete(`${search.kind} ${search.name}`);
    search.look();
    if (this.#searches.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}

function pause(search: Search): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      search.look = () => {};
      resolve();
    };
    const timer = setTimeout(done, search.backoff.next()).unref();
    search.look = done;
  });
}
