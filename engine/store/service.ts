/**
 * The records of this host: values are JSON; every object carries its schema version in `v`. Reads and writes are
 * synchronous and cheap. A write is visible at once and outlives `kill -9`; after a power cut the store holds all that
 * was flushed, and of the rest whole transactions in their order. A change is acknowledged after `flush`.
 *
 * It is local for good: rooms read it without waiting, which no remote store could serve, and one process writes it.
 * Records that the hosts of a cluster share belong behind an interface of their own, with waiting, versions and watches.
 */
export interface Store {
  collection<T extends object>(name: string): Collection<T>;
  /** All writes of `work` or, when it throws, none. `work` must be synchronous. */
  transaction<R>(work: () => R): R;
  /**
   * As `work` alone, but each transaction that it makes also has the writes of `more`: all of them, or none.
   */
  together<R>(work: () => R, more: () => void): R;
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
}

export interface StoreOptions {
  /** Bytes that each of the two files of the redo log reserves, for writing on a full disk. */
  reserve?: number;
}
