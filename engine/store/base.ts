import { systemError } from '@cleat/protocol/errors';
import { type Database, open, type RootDatabase, TransactionFlags } from 'lmdb';
import type { Change, LogStart } from './redo-log.js';

/** The changes that a checkpoint writes, in one commit of LMDB's. */
export interface Checkpoint {
  readonly changes: readonly Change[];
  /** Where the log begins that is to be read on top. */
  readonly start: LogStart;
}

/** No collection of a room begins with a dot. */
const own = '.log';
const startKey = 'start';

/**
 * The checkpoint of the store: LMDB, written only in whole checkpoints, each with LMDB's own order of flushes (pages
 * first, then the meta page that names them). So it is never less than whole, whenever the power goes.
 */
export class Base {
  readonly #root: RootDatabase<string, string>;
  readonly #databases = new Map<string, Database<string, string>>();
  readonly #absent = new Set<string>();

  constructor(path: string) {
    // With overlapping sync, LMDB would take a commit that is not flushed for the newest after a kill.
    this.#root = open({ path, encoding: 'string', overlappingSync: false, maxDbs: 64 });
  }

  get(collection: string, key: string): string | undefined {
    return this.#find(collection)?.get(key);
  }

  *entries(collection: string): Generator<[key: string, text: string]> {
    for (const { key, value } of this.#find(collection)?.getRange() ?? []) yield [key, value];
  }

  /** The names of all. */
  *collections(): Generator<string> {
    for (const key of this.#root.getKeys()) yield String(key);
  }

  get start(): LogStart {
    const text = this.get(own, startKey);
    return text === undefined ? { generation: 0, seed: 0 } : (JSON.parse(text) as LogStart);
  }

  /** Waits for the disk. */
  write({ changes, start }: Checkpoint): void {
    // Made on their own: a handle that was made in a transaction which fails is good for nothing afterwards.
    for (const name of new Set([own, ...changes.map(([collection]) => collection)])) this.#make(name);
    this.#root.transactionSync(() => {
      for (const [collection, key, text] of changes) {
        const database = this.#make(collection);
        if (text === undefined) void database.remove(key);
        else void database.put(key, text);
      }
      void this.#make(own).put(startKey, JSON.stringify(start));
    }, TransactionFlags.ABORTABLE | TransactionFlags.SYNCHRONOUS_COMMIT);
  }

  /** From now on reads see what another thread has committed. */
  refresh(): void {
    this.#root.resetReadTxn();
    this.#absent.clear();
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  /** Looking for what is not there takes LMDB's write lock, so it is done once. */
  #find(collection: string): Database<string, string> | undefined {
    if (this.#absent.has(collection)) return undefined;
    const found = this.#databases.get(collection) ?? this.#open(collection, false);
    if (!found) this.#absent.add(collection);
    return found;
  }

  #make(collection: string): Database<string, string> {
    this.#absent.delete(collection);
    const made = this.#databases.get(collection) ?? this.#open(collection, true);
    if (!made) throw systemError(`the store has no room for the collection ${collection}`);
    return made;
  }

  #open(collection: string, create: boolean): Database<string, string> | undefined {
    // LMDB's types lack the option, and that there is none then.
    const options = { encoding: 'string' as const, create };
    const opened: Database<string, string> | undefined = this.#root.openDB<string, string>(collection, options);
    if (opened) this.#databases.set(collection, opened);
    return opened;
  }
}
