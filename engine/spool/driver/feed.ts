import { writeSync } from 'node:fs';
import { SpoolFiles } from '../files.js';
import { SpoolReader } from '../reader.js';
import type { SpoolPosition } from '../service.js';
import { EntryEncoder } from './encode.js';
import { type Dropped, nothing, sum, writeProgress } from './progress.js';

/** Bytes in the pipe (64 KiB), and those that a driver may have read but not kept. */
const lagBytes = 256 * 1024;
const readBytes = 64 * 1024;
const saveEveryMs = 500;
const boundEveryMs = 100;
/** A bound that was reached is undercut by this part of it: dropping has its price, too. */
const slack = 1 / 16;

/** From where a feed goes on. */
export interface Resumption {
  /** After everything that went into the FIFO; undefined when that is in the middle of a line. */
  exact: SpoolPosition | undefined;
  /** After what the driver surely has, or will never get. */
  kept: SpoolPosition;
  /** All that was dropped so far. */
  dropped: Dropped;
  /** Chunks that went into the FIFO and were perhaps not read yet. */
  inFlight: Dropped;
  /** The part of it that lies before `kept`: dropped, too, once the FIFO is given up. */
  unsure: Dropped;
}

export interface FeedOptions {
  spoolPath: string;
  from: SpoolPosition;
  /** The position that the driver surely has, when `from` is later: this feed takes over from another. */
  kept?: SpoolPosition;
  /**
   * An open, non-blocking end of the driver's FIFO; not closed here. Without one there is no driver just now: the feed
   * only keeps the bound.
   */
  fifo: number | undefined;
  progressPath: string;
  /** So many bytes of the spool may wait; the oldest of what is more is dropped. */
  bound: number;
  /** As the feed before left it. */
  dropped: Dropped;
  inFlight: Dropped;
  unsure: Dropped;
}

/** `blocked`: the driver does not read just now. `waiting`: there is none. */
export type FeedState = 'more' | 'idle' | 'blocked' | 'waiting';

/** After so many bytes of the FIFO, `position` need not be repeated; `sent` counts what had been sent by then. */
interface Mark {
  written: number;
  position: SpoolPosition;
  sent: Dropped;
}

/**
 * Carries a spool into a driver's FIFO, a piece at a time and never waiting. It remembers, on disk, from where it would
 * have to go on if everything died now: what the driver surely has is before that.
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #files: SpoolFiles;
  readonly #reader: SpoolReader;
  readonly #encoder = new EntryEncoder();
  #out: Buffer = Buffer.alloc(0);
  #written = 0;
  #marks: Mark[] = [];
  #kept: SpoolPosition;
  #saved: SpoolPosition;
  #savedAt = 0;
  #boundAt = 0;
  #dropped: Dropped;
  /** Forgets sent chunks that the driver surely has, and those that `kept` has overtaken. */
  #sure: Dropped = nothing;
  #overtaken: Dropped;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#files = new SpoolFiles(options.spoolPath);
    this.#reader = new SpoolReader(this.#files, options.from, readBytes);
    this.#kept = options.kept ?? options.from;
    this.#saved = this.#kept;
    this.#dropped = options.dropped;
    this.#overtaken = options.unsure;
    this.#marks.push({ written: 0, position: options.from, sent: options.inFlight });
  }

  get resumption(): Resumption {
    const clean = this.#out.length === 0 && !this.#encoder.pending;
    const unsure = beyond(this.#overtaken, this.#sure);
    return {
      exact: clean ? this.#reader.position : undefined,
      kept: this.#kept,
      dropped: this.#dropped,
      // A feed that cannot go on exactly sends everything after `kept` again.
      inFlight: clean ? beyond(this.#sent, this.#sure) : unsure,
      unsure,
    };
  }

  /** Bytes that went into the FIFO; tells whether there was progress. */
  get written(): number {
    return this.#written;
  }

  /** All that was dropped so far. */
  get dropped(): Dropped {
    return this.#dropped;
  }

  /** Carries the next piece. */
  step(): FeedState {
    this.#keepBound();
    if (this.#options.fifo === undefined) return 'waiting';
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
    this.#pass(written);
    this.#save(true);
  }

  close(): void {
    this.#reader.close();
  }

  /** All that went into the FIFO, what the feed before left in it included. */
  get #sent(): Dropped {
    return sum(this.#options.inFlight, this.#encoder.sent);
  }

  #keepBound(): void {
    const { bound } = this.#options;
    const now = Date.now();
    if (now - this.#boundAt < boundEveryMs) return;
    this.#boundAt = now;
    const behind = this.#files.distance(this.#reader.position);
    if (behind <= bound) return;
    const { lines, bytes } = this.#reader.skip(behind - bound + Math.floor(bound * slack));
    if (bytes === 0) return;
    this.#dropped = { lines: this.#dropped.lines + lines, bytes: this.#dropped.bytes + bytes };
    // A line whose rest is gone ends here.
    this.#out = Buffer.concat([this.#out, this.#encoder.flush()]);
    const { position } = this.#reader;
    this.#overtaken = this.#sent;
    this.#marks = this.#marks.map((mark) => ({ ...mark, position }));
    this.#mark();
    this.#kept = position;
    this.#save(true);
  }

  #mark(): void {
    if (this.#encoder.pending) return;
    const { position } = this.#reader;
    this.#marks.push({ written: this.#written + this.#out.length, position, sent: this.#sent });
  }

  /** False when the FIFO is full. */
  #write(): boolean {
    const { fifo } = this.#options;
    while (this.#out.length > 0) {
      if (fifo === undefined) return false;
      try {
        const count = writeSync(fifo, this.#out);
        this.#written += count;
        this.#out = this.#out.subarray(count);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return false;
        throw error;
      }
    }
    return true;
  }

  /** The driver has the first `written` bytes. */
  #pass(written: number): void {
    for (let mark = this.#marks[0]; mark && mark.written <= written; mark = this.#marks[0]) {
      this.#kept = mark.position;
      this.#sure = mark.sent;
      this.#marks.shift();
    }
  }

  #save(now: boolean): void {
    this.#pass(this.#written - lagBytes);
    if (this.#kept === this.#saved) return;
    const time = Date.now();
    if (!now && time - this.#savedAt < saveEveryMs) return;
    this.#savedAt = time;
    this.#saved = this.#kept;
    try {
      writeProgress(this.#options.progressPath, { position: this.#kept, active: true, dropped: this.#dropped });
    } catch {
      // The container has been removed, or the disk is full: at worst the driver gets some lines twice.
    }
  }
}

function beyond(all: Dropped, part: Dropped): Dropped {
  return { lines: Math.max(0, all.lines - part.lines), bytes: Math.max(0, all.bytes - part.bytes) };
}
