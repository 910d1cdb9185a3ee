import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { follow } from '@cleat/extensions/supervisor/follow';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { readable } from '@cleat/protocol/untrusted';
import { type Stream, scan, secondsOf } from '../../spool/format.js';

/** conmon begins a new file after so many bytes: an engine that is away costs no more than this. */
export const outputBytes = 1024 * 1024;
/** Characters of a line; the rest of a longer one is left out. */
const maxLine = 4096;
/** Lines for an error message. */
const lastCount = 20;
/** The bytes that one look may bring, so that a plugin that prints without end costs the engine little. */
const most = { bytes: 256 * 1024, lines: 500 };
const pauseMs = 100;

export interface OutputLine {
  readonly at: Date;
  readonly text: string;
}

export interface OutputListener {
  /** A line that was just printed. */
  onLine(line: OutputLine): void;
  /** Lines that an engine before this one has reported. */
  onEarlier?(lines: readonly OutputLine[]): void;
}

/**
 * The output of a plugin. conmon writes it to a file: the plugin outlives the engine, and a pipe that nobody reads would
 * block it. A plugin that prints faster than this reads loses lines, and nothing else.
 */
export class SandboxOutput {
  readonly #path: string;
  readonly #log: Logger;
  readonly #listener: OutputListener;
  readonly #unfollow: () => void;
  readonly #fragments: Record<Stream, string> = { 1: '', 2: '' };
  readonly #last: string[] = [];
  #file: number | undefined;
  #offset = 0;
  #timer: NodeJS.Timeout | undefined;
  #lookedAt = 0;
  #closed = false;

  constructor(path: string, log: Logger, listener: OutputListener) {
    this.#path = path;
    this.#log = log;
    this.#listener = listener;
    makeDirectories(dirname(path), 0o700);
    this.#readEarlier();
    // The directory: conmon puts a new file in the place of one that is full.
    this.#unfollow = follow(dirname(path), () => this.#soon());
  }

  /** The latest lines, of this run and of earlier ones. */
  lastLines(): readonly string[] {
    if (!this.#closed) this.drain();
    return [...this.#last];
  }

  /** Reports what was printed so far, within a bound. */
  drain(): void {
    if (this.#closed) return;
    this.#lookedAt = Date.now();
    let bytes = 0;
    let lines = 0;
    while (bytes < most.bytes && lines < most.lines) {
      const chunk = this.#next();
      if (!chunk) return;
      bytes += chunk.length;
      lines += this.#take(chunk, (line) => this.#listener.onLine(line));
    }
    this.#skip();
    this.#soon();
  }

  /** Nothing more comes of this run: what it printed last need not end with a line feed. */
  ended(): void {
    this.drain();
    for (const stream of [1, 2] as const) this.#line(stream, new Date(), (line) => this.#listener.onLine(line));
  }

  close(): void {
    if (this.#closed) return;
    this.ended();
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unfollow();
    this.#forget();
  }

  /** In a while, if not at once: so often and no more. */
  #soon(): void {
    if (this.#closed || this.#timer) return;
    const wait = Math.max(0, this.#lookedAt + pauseMs - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.drain();
    }, wait).unref();
  }

  /** The lines that are there before anything is reported. */
  #readEarlier(): void {
    const lines: OutputLine[] = [];
    for (let chunk = this.#next(); chunk; chunk = this.#next()) {
      this.#take(chunk, (line) => lines.push(line));
      lines.splice(0, lines.length - most.lines);
    }
    if (lines.length > 0) this.#listener.onEarlier?.(lines);
  }

  /** Whole lines that follow, or undefined when there are none now. */
  #next(): Buffer | undefined {
    for (;;) {
      this.#file ??= openIfThere(this.#path);
      if (this.#file === undefined) return undefined;
      const size = fstatSync(this.#file).size;
      const buffer = Buffer.allocUnsafe(Math.min(Math.max(size - this.#offset, 0), 64 * 1024));
      const count = readSync(this.#file, buffer, 0, buffer.length, this.#offset);
      const end = buffer.lastIndexOf(0x0a, count - 1) + 1;
      if (end > 0 && count > 0) {
        this.#offset += end;
        return buffer.subarray(0, end);
      }
      // conmon replaces a file after its last write to it.
      if (!this.#isReplaced(this.#file)) return undefined;
      this.#forget();
    }
  }

  #isReplaced(file: number): boolean {
    const now = statSync(this.#path, { throwIfNoEntry: false });
    return now !== undefined && now.ino !== fstatSync(file).ino;
  }

  #forget(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#offset = 0;
  }

  /** Leaves out what is too much. */
  #skip(): void {
    if (this.#file === undefined) return;
    const behind = fstatSync(this.#file).size - this.#offset;
    if (behind < most.bytes && !this.#isReplaced(this.#file)) return;
    if (this.#isReplaced(this.#file)) this.#forget();
    else this.#offset += behind - most.bytes / 2;
    this.#fragments[1] = this.#fragments[2] = '';
    this.#log.warn('the plugin prints more than is kept: some of it was left out');
  }

  /** @returns how many lines */
  #take(chunk: Buffer, report: (line: OutputLine) => void): number {
    let count = 0;
    scan(chunk, 0, chunk.length, (stream, complete, start, from, to) => {
      const room = maxLine - this.#fragments[stream].length;
      if (room > 0) this.#fragments[stream] += chunk.toString('utf8', from, Math.min(to, from + room));
      if (!complete) return;
      count++;
      this.#line(stream, new Date(secondsOf(chunk, start) * 1000), report);
    });
    return count;
  }

  #line(stream: Stream, at: Date, report: (line: OutputLine) => void): void {
    const text = readable(this.#fragments[stream].replace(/\r$/, ''), maxLine);
    this.#fragments[stream] = '';
    if (text.trim() === '') return;
    this.#last.push(text);
    if (this.#last.length > lastCount) this.#last.shift();
    report({ at, text });
  }
}

function openIfThere(path: string): number | undefined {
  if (!statSync(path, { throwIfNoEntry: false })) return undefined;
  return openSync(path, 'r');
}
