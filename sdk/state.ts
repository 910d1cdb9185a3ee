import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from '@cleat/protocol/log';

/** Lines beyond which a file is rewritten, if most of them are outdated. */
const compactAfter = 4_096;

/**
 * Durable state for an extension: a map whose every change is one line appended to a file. A change costs one write,
 * and what was written survives a kill of the process at any moment (not a power cut: nothing is synced, because what
 * extensions keep this way describes things that a power cut ends as well). A last line that was cut short is ignored.
 */
export class DurableMap<T> {
  readonly #path: string;
  readonly #values = new Map<string, T>();
  #file: number;
  #lines = 0;

  /** Opens the file, or makes it (0600) and its directory (0700). A line that cannot be read is logged and left out. */
  constructor(path: string, log: Pick<Logger, 'warn'>) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    for (const line of text.split('\n')) if (line) this.#read(line, log);
    // Whatever was cut short is not continued by the next line.
    this.#file = this.#rewrite();
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
    this.#values.set(key, value);
    this.#append(JSON.stringify([key, value]));
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#append(JSON.stringify([key]));
  }

  close(): void {
    closeSync(this.#file);
  }

  #append(line: string): void {
    writeSync(this.#file, `${line}\n`);
    this.#lines++;
    if (this.#lines < compactAfter || this.#lines < 4 * this.#values.size) return;
    closeSync(this.#file);
    this.#file = this.#rewrite();
  }

  #read(line: string, log: Pick<Logger, 'warn'>): void {
    try {
      const [key, value] = JSON.parse(line) as [string, T?];
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    } catch {
      log.warn('a line of the state could not be read and is left out', { file: this.#path });
    }
  }

  #rewrite(): number {
    const lines = this.entries().map((entry) => `${JSON.stringify(entry)}\n`);
    writeFileSync(`${this.#path}.new`, lines.join(''), { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
    this.#lines = lines.length;
    return openSync(this.#path, 'a', 0o600);
  }
}
