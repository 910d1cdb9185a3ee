import type { LogEntry } from '@cleat/protocol/log-entry';
import { isUtc, nanosOf, type Stream, scan, secondsOf } from './format.js';
import { goTimeFixed } from './timestamp.js';

/** Docker splits longer lines into entries of this many bytes (moby `daemon/logger/copier.go`). */
export const entryBytes = 16 * 1024;

/** How `docker logs` wants its lines. */
export interface RenderOptions {
  stdout: boolean;
  stderr: boolean;
  /**
   * A header of eight bytes before each entry: stream, three zeros, length (big-endian). Programs take a frame for a
   * line (docker-py yields one item for each), so entries never share one.
   */
  multiplexed: boolean;
  /** RFC 3339 with nine digits and a space before each entry. */
  timestamps: boolean;
  /** Put before each entry, after its time stamp. */
  details?: string;
  /** Nanoseconds since the epoch, inclusive. */
  since?: bigint;
  until?: bigint;
}

interface Moment {
  seconds: number;
  nanos: number;
}

/** The part of a line that has not ended yet. */
interface Pending {
  pieces: Buffer[];
  length: number;
  time: Moment;
  /** An entry of this line went out, so the rest keeps its time. */
  split: boolean;
}

const headerBytes = 8;

/**
 * Turns spool lines into what goes to a client, without a string or an object per line: a million lines take a fraction
 * of a second.
 */
export class Renderer {
  readonly #options: RenderOptions;
  readonly #since: Moment | undefined;
  readonly #until: Moment | undefined;
  readonly #details: Buffer;
  readonly #pending: [Pending, Pending] = [emptyLine(), emptyLine()];
  #out: Buffer = Buffer.allocUnsafe(0);
  #length = 0;
  #mute = false;
  /** A line later than `until` was seen. */
  finished = false;

  constructor(options: RenderOptions) {
    this.#options = options;
    this.#since = options.since === undefined ? undefined : momentOf(options.since);
    this.#until = options.until === undefined ? undefined : momentOf(options.until);
    this.#details = Buffer.from(options.details ?? '');
  }

  /**
   * Takes spool lines from `begin` to `end` of `chunk` and answers what is to be sent.
   * @param mute only remember fragments of unfinished lines; the lines that end here are not wanted
   */
  feed(chunk: Buffer, begin: number, end: number, mute = false): Buffer {
    this.#begin(end - begin, mute);
    scan(chunk, begin, end, (stream, complete, start, from, to) =>
      this.#line(chunk, stream, complete, start, from, to),
    );
    return this.#take();
  }

  /** Entries that a log driver has kept, as it kept them: with their line feeds. */
  entries(entries: readonly LogEntry[]): Buffer {
    this.#begin(0, false);
    for (const { source, line, timeNano } of entries) {
      const stream = source === 'stderr' ? 2 : 1;
      if (stream === 1 ? !this.#options.stdout : !this.#options.stderr) continue;
      this.#entry(stream, Buffer.from(line.buffer, line.byteOffset, line.byteLength), momentOf(timeNano));
      if (this.finished) break;
    }
    return this.#take();
  }

  /** The unfinished lines, as they are. */
  flush(): Buffer {
    this.#begin(this.#pending[0].length + this.#pending[1].length, false);
    for (const stream of [1, 2] as const) {
      const pending = this.#pending[stream - 1];
      if (pending && pending.length > 0) this.#entry(stream, Buffer.concat(pending.pieces), pending.time);
      this.#pending[stream - 1] = emptyLine();
    }
    return this.#take();
  }

  /** Drops the unfinished line of a stream. */
  forget(stream: Stream): void {
    this.#pending[stream - 1] = emptyLine();
  }

  #line(chunk: Buffer, stream: Stream, complete: boolean, start: number, from: number, to: number): void {
    if (stream === 1 ? !this.#options.stdout : !this.#options.stderr) return;
    const pending = this.#pending[stream - 1] ?? emptyLine();
    if (complete && pending.length === 0 && !pending.split && to - from < entryBytes) {
      if (!this.#mute && this.#isWanted(chunk, start)) this.#plain(chunk, stream, start, from, to + 1);
      return;
    }
    if (!pending.split) pending.time = { seconds: secondsOf(chunk, start), nanos: nanosOf(chunk, start) };
    pending.pieces.push(Buffer.from(chunk.subarray(from, complete ? to + 1 : to)));
    pending.length += (complete ? to + 1 : to) - from;
    if (complete || pending.length >= entryBytes) this.#long(stream, pending, complete);
  }

  /** Sends what of a joined line is due. */
  #long(stream: Stream, pending: Pending, complete: boolean): void {
    let joined = pending.pieces.length === 1 ? (pending.pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(pending.pieces);
    // The line feed does not count, so a line of just this length is an entry, and its line feed another.
    while (joined.length >= entryBytes) {
      this.#entry(stream, joined.subarray(0, entryBytes), pending.time);
      joined = joined.subarray(entryBytes);
      pending.split = true;
    }
    if (complete) {
      if (joined.length > 0) this.#entry(stream, joined, pending.time);
      this.#pending[stream - 1] = emptyLine();
    } else {
      pending.pieces = joined.length > 0 ? [joined] : [];
      pending.length = joined.length;
    }
  }

  #isWanted(chunk: Buffer, start: number): boolean {
    if (!this.#since && !this.#until) return true;
    return this.#isWithin({ seconds: secondsOf(chunk, start), nanos: nanosOf(chunk, start) });
  }

  #isWithin(time: Moment): boolean {
    if (this.#until && isBefore(this.#until, time)) {
      this.finished = true;
      return false;
    }
    return !this.#since || !isBefore(time, this.#since);
  }

  /** An entry that is one line of the spool: copied from there, time stamp and all. */
  #plain(chunk: Buffer, stream: Stream, start: number, from: number, to: number): void {
    const { timestamps } = this.#options;
    const stampBytes = timestamps ? 31 : 0;
    const size = stampBytes + this.#details.length + to - from;
    this.#reserve(headerBytes + size);
    if (this.#options.multiplexed) this.#header(stream, size);
    if (timestamps) {
      if (isUtc(chunk, start)) {
        this.#copy(chunk, start, start + 29);
        this.#out[this.#length++] = 0x5a;
        this.#out[this.#length++] = 0x20;
      } else {
        this.#stamp({ seconds: secondsOf(chunk, start), nanos: nanosOf(chunk, start) });
      }
    }
    if (this.#details.length > 0) this.#copy(this.#details, 0, this.#details.length);
    this.#copy(chunk, from, to);
  }

  #entry(stream: Stream, bytes: Buffer, time: Moment): void {
    if (this.#mute || !this.#isWithin(time)) return;
    const size = (this.#options.timestamps ? 31 : 0) + this.#details.length + bytes.length;
    this.#reserve(headerBytes + size);
    if (this.#options.multiplexed) this.#header(stream, size);
    if (this.#options.timestamps) this.#stamp(time);
    this.#copy(this.#details, 0, this.#details.length);
    this.#copy(bytes, 0, bytes.length);
  }

  #header(stream: Stream, size: number): void {
    const out = this.#out;
    const at = this.#length;
    out[at] = stream;
    out[at + 1] = 0;
    out[at + 2] = 0;
    out[at + 3] = 0;
    out[at + 4] = size >>> 24;
    out[at + 5] = size >>> 16;
    out[at + 6] = size >>> 8;
    out[at + 7] = size;
    this.#length = at + headerBytes;
  }

  #stamp({ seconds, nanos }: Moment): void {
    this.#length += this.#out.write(`${goTimeFixed(seconds, nanos)} `, this.#length, 'latin1');
  }

  /** Few bytes are copied sooner by hand than by a call. */
  #copy(source: Buffer, from: number, to: number): void {
    if (to - from > 64) {
      source.copy(this.#out, this.#length, from, to);
    } else {
      const out = this.#out;
      for (let i = from, at = this.#length; i < to; i++, at++) out[at] = source[i] ?? 0;
    }
    this.#length += to - from;
  }

  #begin(expected: number, mute: boolean): void {
    this.#mute = mute;
    this.#length = 0;
    this.#out = Buffer.allocUnsafe(mute ? 0 : expected);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#out.length * 2, this.#length + bytes));
    this.#out.copy(larger, 0, 0, this.#length);
    this.#out = larger;
  }

  #take(): Buffer {
    return this.#out.subarray(0, this.#length);
  }
}

function emptyLine(): Pending {
  return { pieces: [], length: 0, time: { seconds: 0, nanos: 0 }, split: false };
}

function momentOf(nanos: bigint): Moment {
  return { seconds: Number(nanos / 1_000_000_000n), nanos: Number(nanos % 1_000_000_000n) };
}

function isBefore(a: Moment, b: Moment): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.nanos < b.nanos);
}
