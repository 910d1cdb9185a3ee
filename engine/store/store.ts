import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectoryDurably } from '@cleat/linux/files/durable';
import { keepFromPrograms } from '@cleat/linux/files/kept';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { type CleatError, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { Base } from './base.js';
import { writeCheckpoint } from './checkpoint.js';
import { type LogStart, RedoLog, reserveLog } from './redo-log.js';
import type { Collection, Store, StoreOptions } from './service.js';
import { checkFiles, checkStart, damaged, noteSoundness, soundEnough } from './soundness.js';
import { Writes } from './writes.js';

/** How long writes are gathered before they are synced to disk if nobody waits for it, in ms. */
const syncDelayMs = 5;
/** After a checkpoint that failed (a full disk), the next is tried that much later, in ms. */
const retryMs = 5_000;
/** When a store that was opened is taken for readable, in ms. */
const soundAfterMs = 5_000;
/** LMDB's bound. Bytes. */
const longestKey = 1_900;

/**
 * LMDB holds checkpoints, and a redo log what was written since; what is in the log alone is also in memory. A write is
 * one frame in the log: in the page cache when it returns, so that it outlives `kill -9`, and on disk after `flush`.
 */
class LoggedStore implements Store {
  readonly #path: string;
  readonly #base: Base;
  readonly #log: RedoLog;
  readonly #reserve: number;
  readonly #collections = new Map<string, LoggedCollection>();
  /** The writes of transactions under way; the innermost last. */
  readonly #drafts: Writes[] = [];
  /** Write what goes with every transaction at present. */
  readonly #riders: (() => void)[] = [];
  /** In the log's present generation. */
  #recent = new Writes();
  /** In the generation before it, until its checkpoint is on disk. */
  #settling: { readonly writes: Writes; readonly start: LogStart } | undefined;
  #checkpoint: Promise<void> | undefined;
  #checkpointAfter = 0;
  #written = 0;
  #synced = 0;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #closed = false;
  readonly #sound: NodeJS.Timeout;

  constructor(path: string, { reserve = 4 * 1024 * 1024 }: StoreOptions) {
    this.#path = path;
    this.#reserve = reserve;
    checkFiles(path);
    if (!existsSync(join(path, 'data.mdb'))) reserveLog(path, reserve);
    this.#base = new Base(path);
    // LMDB leaves it to all programs that are started, and conmon outlives the engine.
    keepFromPrograms(join(path, 'data.mdb'));
    const { start } = this.#base;
    checkStart(path, start);
    const next = new Writes();
    this.#log = new RedoLog(path, start, reserve, (changes, generation) =>
      (generation === start.generation ? this.#recent : next).apply(changes),
    );
    noteSoundness(path, start);
    // All of it is read while the engine starts.
    this.#sound = setTimeout(() => soundEnough(path), soundAfterMs).unref();
    if (this.#log.generation === start.generation) return;
    this.#settling = { writes: this.#recent, start: this.#log.start };
    this.#recent = next;
  }

  get path(): string {
    return this.#path;
  }

  collection<T extends object>(name: string): Collection<T> {
    let found = this.#collections.get(name);
    if (!found) {
      found = new LoggedCollection(this, name);
      this.#collections.set(name, found);
    }
    // The name is the type: one room owns a collection and knows what it put there.
    return found as unknown as Collection<T>;
  }

  transaction<R>(work: () => R): R {
    if (this.#closed) throw systemError('the store is closed');
    const draft = new Writes();
    this.#drafts.push(draft);
    let result: R;
    try {
      result = work();
      if (this.#drafts.length === 1 && !draft.empty) this.#ride();
    } finally {
      this.#drafts.pop();
    }
    const outer = this.#drafts.at(-1);
    if (outer) outer.apply(draft.changes());
    else if (!draft.empty) this.#commit(draft);
    return result;
  }

  together<R>(work: () => R, more: () => void): R {
    this.#riders.push(more);
    try {
      return work();
    } finally {
      this.#riders.pop();
    }
  }

  read(collection: string, key: string): string | undefined {
    // A name that cannot be written is not there; LMDB would say so in words of its own.
    if (Buffer.byteLength(key) > longestKey) return undefined;
    for (const layer of this.#layers()) {
      const text = layer.get(collection, key);
      if (text !== undefined) return text ?? undefined;
    }
    return this.#base.get(collection, key);
  }

  /** Ordered by key. */
  readAll(collection: string): [key: string, text: string][] {
    const found = new Map<string, string | null>(this.#base.entries(collection));
    let appended = false;
    for (const layer of [...this.#layers()].reverse()) {
      for (const [key, text] of layer.of(collection)) {
        found.set(key, text);
        appended = true;
      }
    }
    const pairs = [...found].filter((pair): pair is [string, string] => pair[1] !== null);
    return appended ? pairs.sort(([a], [b]) => (a < b ? -1 : 1)) : pairs;
  }

  write(collection: string, key: string, text: string | null): void {
    if (key === '' || Buffer.byteLength(key) > longestKey) throw invalidParameter(`the name is too long or empty`);
    this.transaction(() => {
      this.#drafts.at(-1)?.set(collection, key, text);
    });
  }

  async flush(): Promise<void> {
    const upTo = this.#written;
    while (this.#synced < upTo && !this.#closed) await this.#sync();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#checkpoint;
    await this.flush();
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#sound);
    this.#log.close();
    await this.#base.close();
    soundEnough(this.#path);
  }

  #ride(): void {
    for (const rider of this.#riders) rider();
  }

  *#layers(): Generator<Writes> {
    yield* this.#drafts.toReversed();
    yield this.#recent;
    if (this.#settling) yield this.#settling.writes;
  }

  #commit(writes: Writes): void {
    const changes = [...writes.changes()];
    try {
      this.#log.append(changes);
    } catch (cause) {
      throw unwritable(this.#path, cause);
    }
    this.#recent.apply(changes);
    this.#written++;
    this.#syncSoon();
    // Well before what is reserved is used up: the log grows on while the checkpoint is written.
    if (this.#log.size > this.#reserve / 2) this.#checkpointSoon();
  }

  #checkpointSoon(): void {
    if (this.#checkpoint || performance.now() < this.#checkpointAfter) return;
    if (!this.#settling) {
      this.#settling = { writes: this.#recent, start: this.#log.turn() };
      this.#recent = new Writes();
    }
    this.#checkpoint = this.#settle(this.#settling).finally(() => {
      this.#checkpoint = undefined;
    });
  }

  async #settle({ writes, start }: { writes: Writes; start: LogStart }): Promise<void> {
    try {
      await writeCheckpoint(this.#path, this.#base, { changes: [...writes.changes()], start });
      this.#settling = undefined;
    } catch {
      // Nothing is lost: all of it is in the log, and this is tried again.
      this.#checkpointAfter = performance.now() + retryMs;
    }
  }

  #syncSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A disk that cannot be written to shows again, as an error, in flush and close.
      this.#sync().catch(() => {});
    }, syncDelayMs).unref();
  }

  #sync(): Promise<void> {
    this.#syncing ??= (async () => {
      const upTo = this.#written;
      try {
        await this.#log.sync();
        this.#synced = Math.max(this.#synced, upTo);
      } catch (cause) {
        throw unwritable(this.#path, cause);
      } finally {
        this.#syncing = undefined;
      }
    })();
    return this.#syncing;
  }
}

/** Advice for the user, in no library's words. */
function unwritable(path: string, cause: unknown): CleatError {
  const full = ['ENOSPC', 'EDQUOT'].includes(errnoOf(cause) ?? '');
  return systemError(
    full
      ? `no space left on device: free some where ${path} is (docker system df shows what the engine uses)`
      : `the store in ${path} cannot be written to disk: ${messageOf(cause)}`,
    { cause },
  );
}

class LoggedCollection implements Collection<object> {
  readonly #store: LoggedStore;
  readonly #name: string;

  constructor(store: LoggedStore, name: string) {
    this.#store = store;
    this.#name = name;
  }

  get(key: string): object | undefined {
    const text = this.#store.read(this.#name, key);
    return text === undefined ? undefined : this.#parse(key, text);
  }

  put(key: string, value: object): void {
    this.#write(key, value);
  }

  delete(key: string): void {
    this.#write(key, undefined);
  }

  entries(): [key: string, value: object][] {
    return this.#store.readAll(this.#name).map(([key, text]) => [key, this.#parse(key, text)]);
  }

  #parse(key: string, text: string): object {
    try {
      return JSON.parse(text) as object;
    } catch (cause) {
      const what = `${this.#name} ${key} cannot be read: ${messageOf(cause)}`;
      throw damaged(this.#store.path, what);
    }
  }

  #write(key: string, value: object | undefined): void {
    this.#store.write(this.#name, key, value === undefined ? null : JSON.stringify(value));
  }
}

/**
 * Opens the store in the directory `path`, made (0700) when it is not there.
 * @throws System when it cannot be opened
 */
export function openStore(path: string, options: StoreOptions = {}): Store {
  try {
    makeDirectoryDurably(path);
    chmodSync(path, 0o700);
    return new LoggedStore(path, options);
  } catch (cause) {
    throw systemError(`the store in ${path} cannot be opened: ${messageOf(cause)}`, { cause });
  }
}
