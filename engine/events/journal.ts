import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncDirectory, syncPath } from '@cleat/linux/files/durable';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import type { EventMessage } from '@cleat/protocol/api/event';
import { messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { decodeLine, type Entry, encodeLine } from './line.js';

export interface JournalOptions {
  directory: string;
  log: Logger;
  /** A segment that has grown beyond this is closed. Bytes. */
  segmentBytes?: number;
  /** How many segments are kept; the oldest is removed first. */
  segments?: number;
}

interface Segment {
  /** Sequence number of its first event; also its file name. */
  first: number;
  path: string;
}

const chunkBytes = 64 * 1024;
const lineFeed = 0x0a;

/** How long events are gathered before they are flushed to disk: a power cut loses at most those of that time. */
const syncDelayMs = 200;

/**
 * Events as lines in segment files, named by their first sequence number. A line is written by one write(2) before
 * `append` returns, so that `kill -9` loses nothing, and is on disk soon after; a torn last line (the machine's power
 * went) is cut off on opening.
 */
export class Journal {
  readonly #options: Required<JournalOptions>;
  #segments: Segment[];
  #file: number | undefined;
  #size = 0;
  #last: number;
  #lastTime = 0n;
  #failing = false;
  /** A part of a line may be at the end. Cut off before the next: a disk that takes nothing takes no such thing either. */
  #torn = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: JournalOptions) {
    this.#options = { segmentBytes: 4 * 1024 * 1024, segments: 16, ...options };
    makeDirectories(options.directory, 0o700);
    this.#segments = readdirSync(options.directory)
      .filter((name) => /^\d{16}\.jsonl$/.test(name))
      .sort()
      .map((name) => ({ first: Number.parseInt(name, 10), path: join(options.directory, name) }));
    this.#last = (this.#segments.at(-1)?.first ?? 1) - 1;
    this.#recover();
  }

  /** Sequence number of the newest event; 0: none yet. */
  get last(): number {
    return this.#last;
  }

  /** The newest event's timeNano; 0: none yet. */
  get lastTime(): bigint {
    return this.#lastTime;
  }

  /** Sequence number of the oldest event that is kept. */
  get first(): number {
    return this.#segments[0]?.first ?? this.#last + 1;
  }

  /**
   * Writes an event and gives it its number. A disk that is full or read-only is reported in the log, once, and the
   * number still given: nothing fails because it could not be told.
   */
  append(event: EventMessage): number {
    const seq = ++this.#last;
    this.#lastTime = event.timeNano;
    const line = encodeLine({ seq, event });
    try {
      if (this.#torn && this.#file !== undefined) ftruncateSync(this.#file, this.#size);
      this.#torn = false;
      const file = this.#fileFor(seq);
      this.#torn = true;
      if (writeSync(file, line) < line.length) throw new Error('no space left');
      this.#size += line.length;
      this.#torn = false;
      this.#failing = false;
      this.#syncSoon();
    } catch (error) {
      if (!this.#failing) this.#options.log.error(`events cannot be written to disk: ${messageOf(error)}`);
      this.#failing = true;
    }
    return seq;
  }

  /**
   * Kept events in order, a chunk at a time, beginning with the first whose number is at least `from`; ends at what is
   * the end when it gets there. `sinceMs` lets it skip segments that were last written before that time.
   */
  *read(from: number, sinceMs?: number): Generator<Entry[]> {
    for (let at = this.#segmentOf(from); at; at = this.#segments.find(({ first }) => first > (at?.first ?? 0))) {
      if (sinceMs !== undefined && at !== this.#segments.at(-1) && !changedSince(at.path, sinceMs)) continue;
      for (const entries of readSegment(at.path)) {
        const wanted = entries.filter(({ seq }) => seq >= from);
        if (wanted.length > 0) yield wanted;
      }
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    if (this.#file === undefined) return;
    try {
      fdatasyncSync(this.#file);
    } catch (error) {
      this.#options.log.warn(`the last events may not be on disk: ${messageOf(error)}`);
    }
    closeSync(this.#file);
    this.#file = undefined;
  }

  #syncSoon(): void {
    this.#timer ??= setTimeout(() => void this.#sync(), syncDelayMs).unref();
  }

  async #sync(): Promise<void> {
    const newest = this.#segments.at(-1);
    try {
      // A descriptor of its own: the one that is written to may be closed meanwhile.
      if (newest) await syncPath(newest.path);
    } catch (error) {
      this.#options.log.debug(`events are not on disk yet: ${messageOf(error)}`);
    }
    this.#timer = undefined;
  }

  #segmentOf(seq: number): Segment | undefined {
    return this.#segments.findLast(({ first }) => first <= seq) ?? this.#segments[0];
  }

  #fileFor(seq: number): number {
    if (this.#file !== undefined && this.#size < this.#options.segmentBytes) return this.#file;
    const path = join(this.#options.directory, `${String(seq).padStart(16, '0')}.jsonl`);
    const file = openSync(path, 'ax', 0o600);
    const before = this.#file;
    this.#file = file;
    this.#size = 0;
    this.#segments.push({ first: seq, path });
    // Once in 4 MiB of events: the end of the one, and the name of the other.
    if (before !== undefined) finish(before);
    syncDirectory(this.#options.directory);
    while (this.#segments.length > this.#options.segments) {
      const [oldest] = this.#segments.splice(0, 1);
      if (oldest) unlinkSync(oldest.path);
    }
    return file;
  }

  #recover(): void {
    const newest = this.#segments.at(-1);
    if (!newest) return;
    this.#file = openSync(newest.path, 'a+', 0o600);
    const size = fstatSync(this.#file).size;
    this.#size = size;
    for (const entries of readSegment(newest.path, (end) => (this.#size = end))) {
      this.#last = entries.at(-1)?.seq ?? this.#last;
      this.#lastTime = entries.at(-1)?.event.timeNano ?? this.#lastTime;
    }
    if (this.#size === size) return;
    ftruncateSync(this.#file, this.#size);
    this.#options.log.warn('the last event in the journal was incomplete and has been dropped');
  }
}

function finish(file: number): void {
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A late note of the kernel's clock, which marks files, and what lies between taking a time and writing it. */
const slackMs = 1000;

function changedSince(path: string, sinceMs: number): boolean {
  return statSync(path).mtimeMs + slackMs >= sinceMs;
}

/** @param onEnd told where the last complete line ends */
function* readSegment(path: string, onEnd?: (offset: number) => void): Generator<Entry[]> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // Removed by retention since it was listed; the caller sees the gap in the numbers.
    return;
  }
  try {
    let buffer = Buffer.alloc(chunkBytes);
    let held = 0;
    let offset = 0;
    for (;;) {
      if (held === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
      const count = readSync(file, buffer, held, buffer.length - held, offset + held);
      if (count === 0) break;
      held += count;
      const end = buffer.lastIndexOf(lineFeed, held - 1) + 1;
      if (end === 0) continue;
      yield buffer
        .toString('utf8', 0, end - 1)
        .split('\n')
        .flatMap(decodeLine);
      buffer.copyWithin(0, end, held);
      held -= end;
      offset += end;
    }
    onEnd?.(offset);
  } finally {
    closeSync(file);
  }
}
