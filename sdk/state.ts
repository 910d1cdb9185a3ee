import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { conflict, systemError } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { makeDirectoryDurably, syncDirectory, writeFileDurably } from './durable-file.js';

/** Lines beyond which a file is rewritten, if most of them are outdated. */
const compactAfter = 4_096;

export interface DurableMapOptions {
  /**
   * Each change is flushed to disk before `set` and `delete` return, which takes as long as the disk does. For the only
   * record of what outlives a power cut (which volumes there are, say); what a power cut ends as well (mounts, links,
   * processes) needs none of it. False by default.
   */
  sync?: boolean;
}

/**
 * Durable state for an extension: a map whose every change is one line appended to a file. A change costs one write,
 * and what was written survives a kill of the process at any moment; a power cut only with `sync`, and without it as
 * far as the kernel has got (some 30 s). A last line that was cut short is ignored.
 * @example
 * const volumes = new DurableMap<{ size: number }>('/var/lib/mine/volumes.journal', log, { sync: true });
 * volumes.set('data', { size: 1 });
 */
export class DurableMap<T> {
  readonly #path: string;
  readonly #values = new Map<string, T>();
  readonly #making = new Map<string, Promise<T>>();
  readonly #sync: boolean;
  #file: number;
  #lines = 0;
  /** The last line may have been cut short: a full disk. */
  #torn = false;
  #closed = false;

  /** Opens the file, or makes it (0600) and its directory (0700). A line that cannot be read is logged and left out. */
  constructor(path: string, log: Pick<Logger, 'warn'>, { sync = false }: DurableMapOptions = {}) {
    this.#path = path;
    this.#sync = sync;
    makeDirectoryDurably(dirname(path));
    const there = existsSync(path);
    const lines = (there ? readFileSync(path, 'utf8') : '').split('\n');
    // The next line must not continue a line that was cut short.
    let isWhole = there && lines.at(-1) === '';
    if (lines.at(-1) === '') lines.pop();
    for (const line of lines) isWhole = this.#read(line, log) && isWhole;
    this.#lines = lines.length;
    this.#file = isWhole && !this.#isLong ? this.#reopen() : this.#rewrite();
  }

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  values(): T[] {
    return [...this.#values.values()];
  }

  entries(): [key: string, value: T][] {
    return [...this.#values.entries()];
  }

  get size(): number {
    return this.#values.size;
  }

  /** The value must be JSON, and must not be changed afterwards but by another `set`. */
  set(key: string, value: T): void {
    this.#append(JSON.stringify([key, value]));
    this.#values.set(key, value);
    this.#compact();
  }

  delete(key: string): void {
    if (!this.#values.has(key)) return;
    this.#append(JSON.stringify([key]));
    this.#values.delete(key);
    this.#compact();
  }

  /**
   * Returns the value of that key, or else what `make` makes, which is kept only once it is made. So a Create that
   * comes twice, at the same time or after a kill in the middle, has the effect of one; `make` may therefore find what
   * it left behind when it was cut short.
   * @param same whether what is there is what is asked for now; by default it always is
   * @example
   * await volumes.ensure(Name, () => makeVolume(Name, size), (there) => there.size === size);
   * @throws Conflict when it is not; whatever `make` throws
   */
  async ensure(key: string, make: () => T | Promise<T>, same: (there: T) => boolean = () => true): Promise<T> {
    // A caller that waited looks again: what was being made may have failed, or be gone already.
    for (let other = this.#making.get(key); other; other = this.#making.get(key)) {
      await other.then(
        () => {},
        () => {}, // Its caller hears of it.
      );
    }
    const there = this.#values.get(key);
    if (there !== undefined) {
      if (same(there)) return there;
      throw conflict(`${key} exists already with other options: remove it first, or choose another name`);
    }
    const made = this.#make(key, make);
    this.#making.set(key, made);
    try {
      return await made;
    } finally {
      this.#making.delete(key);
    }
  }

  /** Once is enough: by the second time its descriptor may be another file's. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }

  async #make(key: string, make: () => T | Promise<T>): Promise<T> {
    const value = await make();
    this.set(key, value);
    return value;
  }

  /** @throws System when the line is not on disk as a whole; then nothing has changed */
  #append(line: string): void {
    if (this.#torn) this.#renew();
    const bytes = Buffer.from(`${line}\n`);
    this.#torn = true;
    if (writeSync(this.#file, bytes) < bytes.length) throw systemError(`${this.#path} cannot grow: is the disk full?`);
    if (this.#sync) fdatasyncSync(this.#file);
    this.#torn = false;
    this.#lines++;
  }

  #compact(): void {
    if (this.#isLong) this.#renew();
  }

  get #isLong(): boolean {
    return this.#lines >= compactAfter && this.#lines >= 4 * this.#values.size;
  }

  #renew(): void {
    const before = this.#file;
    this.#file = this.#rewrite();
    closeSync(before);
    this.#torn = false;
  }

  /** @returns whether it could be read */
  #read(line: string, log: Pick<Logger, 'warn'>): boolean {
    try {
      const change: unknown = JSON.parse(line);
      if (!isChange<T>(change)) throw new TypeError('no change of a map');
      const [key, value] = change;
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
      return true;
    } catch {
      if (line !== '') log.warn('a line of the state could not be read and is left out', { file: this.#path });
      return false;
    }
  }

  /** As the file is. A process that was killed may not have flushed its last line. */
  #reopen(): number {
    const file = openSync(this.#path, 'a', 0o600);
    if (this.#sync) {
      fdatasyncSync(file);
      syncDirectory(dirname(this.#path));
    }
    return file;
  }

  #rewrite(): number {
    const lines = this.entries().map((entry) => `${JSON.stringify(entry)}\n`);
    writeFileDurably(this.#path, lines.join(''));
    this.#lines = lines.length;
    return openSync(this.#path, 'a', 0o600);
  }
}

/** A damaged line may be JSON still. */
const isChange = <T>(value: unknown): value is [key: string, value?: T] =>
  Array.isArray(value) && typeof value[0] === 'string' && value.length <= 2;
