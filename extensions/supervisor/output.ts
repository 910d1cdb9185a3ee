import { closeSync, ftruncateSync, openSync, readSync } from 'node:fs';
import type { Logger } from '@cleat/protocol/log';
import { follow } from './follow.js';
import { reportLine } from './lines.js';

/** Above this the file, once read, is emptied. */
const keepBytes = 256 * 1024;
const maxLine = 16 * 1024;

/**
 * Brings what a process of ours prints into the log. It prints to a file, not to a pipe: the process outlives the
 * engine, and must neither be killed nor blocked by a pipe that nobody reads.
 */
export class Output {
  /** To be given to the process as its stdout and stderr. */
  readonly fd: number;
  readonly #log: Logger;
  readonly #unfollow: () => void;
  readonly #buffer = Buffer.allocUnsafe(64 * 1024);
  #offset = 0;
  #rest = '';

  /** @param fresh empties the file; otherwise only what comes from now on is reported */
  constructor(path: string, fresh: boolean, log: Logger) {
    this.#log = log;
    // Appending: the process may hold a descriptor of its own from before, and the file may be emptied under it.
    this.fd = openSync(path, 'a+', 0o600);
    if (fresh) ftruncateSync(this.fd);
    else this.#skip();
    this.#unfollow = follow(path, () => this.drain());
  }

  /** Reports everything that was printed so far. */
  drain(): void {
    for (;;) {
      const count = readSync(this.fd, this.#buffer, 0, this.#buffer.length, this.#offset);
      if (count === 0) break;
      this.#offset += count;
      this.#take(this.#buffer.toString('utf8', 0, count));
    }
    if (this.#offset > keepBytes) {
      ftruncateSync(this.fd);
      this.#offset = 0;
    }
  }

  close(): void {
    this.#unfollow();
    this.drain();
    if (this.#rest) this.#report(this.#rest);
    closeSync(this.fd);
  }

  #skip(): void {
    let count: number;
    do {
      count = readSync(this.fd, this.#buffer, 0, this.#buffer.length, this.#offset);
      this.#offset += count;
    } while (count > 0);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, maxLine);
    for (const line of lines) if (line.trim()) this.#report(line.slice(0, maxLine));
  }

  #report(line: string): void {
    reportLine(this.#log, line);
  }
}
