/**
 * The port to the embedded store. Values are JSON; every object carries its schema version in `v`. Reads and writes
 * are synchronous and cheap. A write is visible at once and outlives `kill -9`; after a power cut the store holds all
 * that was flushed, and of the rest whole transactions in their order. Whoever acknowledges a change awaits `flush`
 * first. A cluster may put a distributed store behind the same port later, hence compare-and-set and watch.
 */
export interface Store {
  collection<T extends object>(name: string): Collection<T>;
  /** All writes of `work` or, when it throws, none. `work` must be synchronous. */
  transaction<R>(work: () => R): R;
  /** Resolves when everything written so far is on disk. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface Collection<T extends object> {
  get(key: string): T | undefined;
  put(key: string, value: T): void;
  delete(key: string): void;
  /** All pairs, ordered by key. */
  entries(): [key: string, value: T][];
  /** Writes only if the present value equals `expected` (undefined: absent). @throws Conflict */
  compareAndSet(key: string, expected: T | undefined, value: T): void;
  /** Calls `listener` after each write; returns the way to stop. */
  watch(listener: (key: string, value: T | undefined) => void): () => void;
}

export interface StoreOptions {
  /** Bytes that each of the two files of the redo log reserves, for writing on a full disk. */
  reserve?: number;
}
