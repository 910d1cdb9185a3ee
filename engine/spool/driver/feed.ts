import { writeSync } from 'node:fs';
import { SpoolFiles } from '../files.js';
import { SpoolReader } from '../reader.js';
import type { SpoolPosition } from '../service.js';
import { EntryEncoder } from './encode.js';
import { writeProgress } from './progress.js';

/** What lies in the pipe, and as much again that the driver may have read but not kept. */
const lagBytes = 128 * 1024;
const readBytes = 64 * 1024;
const saveEveryMs = 500;

/** From where a feed goes on. */
export interface Resumption {
  /** After everything that went into the FIFO; undefined when that is in the middle of a line. */
  exact: SpoolPosition | undefined;
  /** After what the driver surely has. */
  kept: SpoolPosition;
}

export interface FeedOptions {
  spoolPath: string;
  from: SpoolPosition;
  /** What the driver surely has, when `from` is later: this feed takes over from another. */
  kept?: SpoolPosition;
  /** An open, non-blocking end of the driver's FIFO. Not closed here. */
  fifo: number;
  progressPath: string;
}

/** `blocked`: the driver does not read just now. */
export type FeedState = 'more' | 'idle' | 'blocked';

/**
 * Carries a spool into a driver's FIFO, a piece at a time and never waiting. It remembers, on disk, from where it would
 * have to go on if everything died now: what the driver surely has is before that.
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #reader: SpoolReader;
  readonly #encoder = new EntryEncoder();
  #out: Buffer = Buffer.alloc(0);
  #written = 0;
  /** Positions that need not be repeated once so many bytes were written. */
  #marks: { written: number; position: SpoolPosition }[] = [];
  #kept: SpoolPosition;
  #saved: SpoolPosition;
  #savedAt = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#reader = new SpoolReader(new SpoolFiles(options.spoolPath), options.from, readBytes);
    this.#kept = options.kept ?? options.from;
    this.#saved = this.#kept;
    this.#marks.push({ written: 0, position: options.from });
  }

  get resumption(): Resumption {
    const clean = this.#out.length === 0 && !this.#encoder.pending;
    return { exact: clean ? this.#reader.position : undefined, kept: this.#kept };
  }

  /** Bytes that went into the FIFO; tells whether there was progress. */
  get written(): number {
    return this.#written;
  }

  /** Carries the next piece. */
  step(): FeedState {
    if (!this.#write()) return 'blocked';
    const lines = this.#reader.next();
    if (!lines) {
      this.#save(true);
      return 'idle';
    }
    this.#out = this.#encoder.feed(lines.bytes);
    this.#mark();
    const written = this.#write();
    this.#save(false);
    return written ? 'more' : 'blocked';
  }

  /** There is no more: unfinished lines go out as they are. True when everything is in the FIFO. */
  finish(): boolean {
    if (!this.#write()) return false;
    if (this.#encoder.pending) {
      this.#out = this.#encoder.flush();
      this.#mark();
    }
    return this.#write();
  }

  /** The driver has read the FIFO empty when `written` bytes were in it. */
  settle(written: number): void {
    for (const mark of this.#marks) if (mark.written <= written) this.#kept = mark.position;
    this.#marks = this.#marks.filter((mark) => mark.written > written);
    this.#save(true);
  }

  close(): void {
    this.#reader.close();
  }

  #mark(): void {
    if (this.#encoder.pending) return;
    this.#marks.push({ written: this.#written + this.#out.length, position: this.#reader.position });
  }

  /** False when the FIFO is full. */
  #write(): boolean {
    while (this.#out.length > 0) {
      try {
        const count = writeSync(this.#options.fifo, this.#out);
        this.#written += count;
        this.#out = this.#out.subarray(count);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return false;
        throw error;
      }
    }
    return true;
  }

  #save(now: boolean): void {
    const surely = this.#written - lagBytes;
    for (let mark = this.#marks[0]; mark && mark.written <= surely; mark = this.#marks[0]) {
      this.#kept = mark.position;
      this.#marks.shift();
    }
    if (this.#kept === this.#saved) return;
    const time = Date.now();
    if (!now && time - this.#savedAt < saveEveryMs) return;
    this.#savedAt = time;
    this.#saved = this.#kept;
    try {
      writeProgress(this.#options.progressPath, { position: this.#kept, active: true });
    } catch {
      // The container has been removed, or the disk is full: at worst the driver gets some lines twice.
    }
  }
}
