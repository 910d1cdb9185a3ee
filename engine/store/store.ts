import { chmodSync, closeSync, fdatasync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { conflict, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { type Database, open, type RootDatabase, TransactionFlags } from 'lmdb';
import type { Collection, Store } from './service.js';

/**
 * A commit is in the page cache when it returns, so it outlives `kill -9`; it is on disk a moment later, without the
 * event loop waiting for the disk (which takes 0.4 ms on a good one, and ten on others).
 */
export const commitFlags: number =
  TransactionFlags.ABORTABLE | TransactionFlags.SYNCHRONOUS_COMMIT | TransactionFlags.NO_SYNC_FLUSH;

/** How long writes are gathered before they are synced to disk, in ms. */
const syncDelayMs = 5;

type Listener = (key: string, value: object | undefined) => void;

class LmdbStore implements Store {
  readonly #root: RootDatabase<object, string>;
  readonly #file: number;
  readonly #collections = new Map<string, LmdbCollection>();
  /** What watchers are to hear once the outermost transaction is committed; undefined outside of one. */
  #notices: (() => void)[] | undefined;
  #written = 0;
  #synced = 0;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #closed = false;

  constructor(path: string) {
    // LMDB's own overlapping sync would wait for the disk in each synchronous commit.
    this.#root = open({ path, encoding: 'json', overlappingSync: false, maxDbs: 64 });
    this.#file = openSync(join(path, 'data.mdb'), 'r');
  }

  collection<T extends object>(name: string): Collection<T> {
    let found = this.#collections.get(name);
    if (!found) {
      found = new LmdbCollection(this, this.#root.openDB<object, string>(name, { encoding: 'json' }));
      this.#collections.set(name, found);
    }
    // The name is the type: one room owns a collection and knows what it put there.
    return found as unknown as Collection<T>;
  }

  transaction<R>(work: () => R): R {
    if (this.#closed) throw systemError('the store is closed');
    const outer = this.#notices;
    const mine: (() => void)[] = [];
    this.#notices = mine;
    let result: R;
    try {
      // LMDB would commit later, or not at all, if it were handed a promise: it never sees what `work` returns.
      result = this.#run(work, outer ? undefined : commitFlags);
    } finally {
      this.#notices = outer;
    }
    if (outer) {
      outer.push(...mine);
    } else {
      this.#written++;
      this.#syncSoon();
      for (const notify of mine) notify();
    }
    return result;
  }

  #run<R>(work: () => R, flags: number | undefined): R {
    const results: R[] = [];
    this.#root.transactionSync(() => {
      results.push(work());
    }, flags);
    return results[0] as R;
  }

  /** Remembers a notice of the running transaction. */
  notify(notice: () => void): void {
    this.#notices?.push(notice);
  }

  async flush(): Promise<void> {
    while (this.#synced < this.#written && !this.#closed) await this.#sync();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.flush();
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#root.close();
    closeSync(this.#file);
  }

  #syncSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A disk that cannot be written to shows again, as an error, in flush and close.
      this.#sync().catch(() => {});
    }, syncDelayMs).unref();
  }

  #sync(): Promise<void> {
    this.#syncing ??= new Promise<void>((resolve, reject) => {
      const upTo = this.#written;
      fdatasync(this.#file, (error) => {
        this.#syncing = undefined;
        if (error)
          return reject(systemError(`the store cannot be written to disk: ${error.message}`, { cause: error }));
        this.#synced = Math.max(this.#synced, upTo);
        resolve();
      });
    });
    return this.#syncing;
  }
}

/** LMDB's own limit is 1978. */
const maxKeyBytes = 1900;
const isTooLong = (key: string): boolean => Buffer.byteLength(key) > maxKeyBytes;

class LmdbCollection implements Collection<object> {
  readonly #store: LmdbStore;
  readonly #database: Database<object, string>;
  readonly #listeners = new Set<Listener>();

  constructor(store: LmdbStore, database: Database<object, string>) {
    this.#store = store;
    this.#database = database;
  }

  get(key: string): object | undefined {
    // Under a longer one nothing can be.
    return isTooLong(key) ? undefined : this.#database.get(key);
  }

  put(key: string, value: object): void {
    if (isTooLong(key)) throw invalidParameter(`a name has at most ${maxKeyBytes} bytes`);
    this.#write(key, value, () => void this.#database.put(key, value));
  }

  delete(key: string): void {
    if (isTooLong(key)) return;
    this.#write(key, undefined, () => void this.#database.remove(key));
  }

  entries(): [key: string, value: object][] {
    return Array.from(this.#database.getRange(), ({ key, value }) => [key, value]);
  }

  compareAndSet(key: string, expected: object | undefined, value: object): void {
    this.#store.transaction(() => {
      const present = this.get(key);
      const wanted: unknown = expected === undefined ? undefined : JSON.parse(JSON.stringify(expected));
      if (!isDeepStrictEqual(present, wanted)) throw conflict(`${key} was changed meanwhile; read it and try again`);
      this.put(key, value);
    });
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #write(key: string, value: object | undefined, work: () => void): void {
    this.#store.transaction(() => {
      work();
      if (this.#listeners.size === 0) return;
      this.#store.notify(() => {
        for (const listener of [...this.#listeners]) listener(key, value);
      });
    });
  }
}

/**
 * Opens the store in the directory `path`, made (0700) when it is not there.
 * @throws System when it cannot be opened
 */
export function openStore(path: string): Store {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    return new LmdbStore(path);
  } catch (cause) {
    throw systemError(`the store in ${path} cannot be opened: ${messageOf(cause)}`, { cause });
  }
}
