import { syncPath } from '@cleat/linux/files/durable';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { messageOf } from '@cleat/protocol/errors';
import { setInterval, setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { Epochs } from './epochs.js';
import { decodeLine, type Entry, encodeLine } from './line.js';
import { OpenMark } from './mark.js';
import { type Place, type Retention, readLines, Segments } from './segments.js';

export interface JournalOptions {
  directory: string;
  log: Logger;
  /** How much is kept; default 64 MiB of any age. Asked each time. */
  retention?: () => Retention;
}

/** How long events are gathered before they are flushed to disk: a power cut loses at most those of that time. */
const syncDelayMs = 200;
/** How often too old events are looked for. */
const expiryMs = 60_000;

export const defaultRetention: Retention = { maxBytes: 64 * 1024 * 1024 };

/**
 * Events as lines in segment files. A line is written by one write(2) before `append` returns, so that `kill -9` loses
 * nothing, and is on disk soon after; a torn last line (the machine's power went) is cut off on opening.
 */
export class Journal {
  readonly #log: Logger;
  readonly #segments: Segments;
  readonly #mark: OpenMark;
  readonly epochs: Epochs;
  #last: number;
  #lastTime = 0n;
  #failing = false;
  #hasHole = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #expiry: NodeJS.Timeout;
  /** The newest events of the engine before: readers who come back mostly want no others. */
  readonly tail: readonly Entry[];

  constructor({ directory, log, retention = () => defaultRetention }: JournalOptions) {
    this.#log = log;
    makeDirectories(directory, 0o700);
    this.#segments = new Segments(directory, retention);
    const { entries, wholeBytes, begun, isTorn } = readNewest(this.#segments);
    this.#last = entries.at(-1)?.seq ?? (this.#segments.newest?.first ?? 1) - 1;
    this.#lastTime = entries.at(-1)?.event.timeNano ?? 0n;
    this.#segments.open(wholeBytes, begun);
    if (isTorn) log.warn('the last event in the journal was incomplete and has been dropped');
    this.#mark = new OpenMark(directory, log);
    this.epochs = new Epochs({ directory, log, last: this.#last, lost: this.#mark.lost || isTorn });
    this.tail = entries.map((entry) => this.#withCursor(entry));
    this.#expire();
    this.#expiry = setInterval(() => this.#expire(), expiryMs).unref();
  }

  /** Sequence number of the newest event; 0: none yet. */
  get last(): number {
    return this.#last;
  }

  /** The number that the next event will have. */
  get next(): number {
    return this.epochs.next(this.#last);
  }

  /** The newest event's timeNano; 0: none yet. */
  get lastTime(): bigint {
    return this.#lastTime;
  }

  /** Sequence number of the oldest event that is kept. */
  get first(): number {
    return this.#segments.first ?? this.next;
  }

  /** How many events are kept. */
  get count(): number {
    return this.#last < this.first ? 0 : this.#last - this.first + 1 - this.epochs.skipped(this.first);
  }

  /**
   * Writes an event and gives it its number. A disk that is full or read-only is reported in the log, once, and the
   * number still given: nothing fails because it could not be told.
   */
  append(made: (seq: number) => Entry['event']): Entry {
    const seq = this.next;
    this.epochs.begin(this.first);
    this.#last = seq;
    const event = made(seq);
    this.#lastTime = event.timeNano;
    try {
      this.#segments.append(seq, encodeLine({ seq, event }));
      this.#failing = false;
      this.#syncSoon();
    } catch (error) {
      if (!this.#failing) this.#log.error(`events cannot be written to disk: ${messageOf(error)}`);
      if (!this.#hasHole) this.#mark.noteHole();
      this.#failing = true;
      this.#hasHole = true;
    }
    return { seq, event };
  }

  /**
   * Kept events in order, a piece at a time; the first piece may be without any.
   * @param from no number below is returned
   * @param place where the last piece ended; undefined: where `from` is
   * @param sinceMs lets it skip segments that were last written before that time
   * @returns undefined at the end
   */
  read(from: number, place?: Place, sinceMs?: number): { entries: Entry[]; place: Place } | undefined {
    const piece = this.#segments.read(from, place, sinceMs);
    if (piece === undefined) return undefined;
    const entries = piece.text.split('\n').flatMap(decodeLine);
    const end = entries.at(-1)?.seq;
    if (end !== undefined) this.#segments.learn(end + 1, piece.place);
    const wanted = entries.filter(({ seq }) => seq >= from).map((entry) => this.#withCursor(entry));
    return { entries: wanted, place: piece.place };
  }

  close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#expiry);
    try {
      this.#segments.close();
      this.#mark.close(this.#hasHole);
    } catch (error) {
      this.#log.warn(`the last events may not be on disk: ${messageOf(error)}`);
    }
  }

  #withCursor({ seq, event }: Entry): Entry {
    return { seq, event: { ...event, Cursor: this.epochs.cursorOf(seq) } };
  }

  #syncSoon(): void {
    this.#timer ??= setTimeout(() => void this.#sync(), syncDelayMs).unref();
  }

  async #sync(): Promise<void> {
    const { newest } = this.#segments;
    try {
      // A descriptor of its own: the one that is written to may be closed meanwhile.
      if (newest) await syncPath(newest.path);
    } catch (error) {
      this.#log.debug(`events are not on disk yet: ${messageOf(error)}`);
    }
    this.#timer = undefined;
  }

  #expire(): void {
    try {
      this.#segments.expire(this.#last + 1);
    } catch (error) {
      this.#log.warn(`events that are too old are still on disk: ${messageOf(error)}`);
    }
  }
}

interface Newest {
  /** The last ones. */
  readonly entries: Entry[];
  readonly wholeBytes: number;
  /** In ms since the epoch. */
  readonly begun: number;
  readonly isTorn: boolean;
}

/** Reads the segment that the engine before wrote to. */
function readNewest({ newest }: Segments): Newest {
  if (!newest) return { entries: [], wholeBytes: 0, begun: 0, isTorn: false };
  let wholeBytes = 0;
  let begun: number | undefined;
  let [before, entries]: [Entry[], Entry[]] = [[], []];
  for (;;) {
    const lines = readLines(newest.path, wholeBytes);
    if (!lines) break;
    wholeBytes += lines.length;
    const found = lines
      .toString('utf8', 0, lines.length - 1)
      .split('\n')
      .flatMap(decodeLine);
    if (found.length === 0) continue;
    begun ??= Number((found[0]?.event.timeNano ?? 0n) / 1_000_000n);
    [before, entries] = [entries, found];
  }
  const isTorn = newest.size > wholeBytes;
  return { entries: [...before, ...entries], wholeBytes, begun: begun ?? Date.now(), isTorn };
}
