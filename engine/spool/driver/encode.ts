import { newId } from '../../ids.js';
import { nanosOf, type Stream, scan, secondsOf } from '../format.js';
import { entryBytes } from '../render.js';

/** The part of a line that has not ended yet. */
interface Pending {
  pieces: Buffer[];
  length: number;
  seconds: number;
  nanos: number;
  /** Set once an entry of this line went out: its identity and how many there were. */
  id: string;
  ordinal: number;
}

const sources = [Buffer.from('\n\x06stdout'), Buffer.from('\n\x06stderr')] as const;
/** Length, source, time stamp, the line's tag and length, partial flag: more than they ever take. */
const overheadBytes = 4 + 8 + 11 + 6 + 2;

/**
 * Spool lines as log entries for a driver (protocol/log-entry.ts says what they look like), written straight into one
 * buffer because there may be a million of them.
 */
export class EntryEncoder {
  #out: Buffer = Buffer.allocUnsafe(0);
  #length = 0;
  readonly #pending: [Pending | undefined, Pending | undefined] = [undefined, undefined];
  readonly #time = Buffer.alloc(11);
  #timeLength = 0;
  #seconds = Number.NaN;
  #nanos = Number.NaN;
  #sentLines = 0;
  #sentBytes = 0;

  /** Whether an unfinished line is held back. */
  get pending(): boolean {
    return this.#pending[0] !== undefined || this.#pending[1] !== undefined;
  }

  /** All lines that became entries so far, and the bytes of their texts. */
  get sent(): { lines: number; bytes: number } {
    return { lines: this.#sentLines, bytes: this.#sentBytes };
  }

  /** Entries of the lines that are complete with this chunk. The answer is a buffer of its own. */
  feed(chunk: Buffer): Buffer {
    this.#out = Buffer.allocUnsafe(chunk.length);
    this.#length = 0;
    scan(chunk, 0, chunk.length, (stream, complete, start, from, to) => {
      if (complete) this.#sentLines++;
      this.#sentBytes += to - from;
      const pending = this.#pending[stream - 1];
      const seconds = secondsOf(chunk, start);
      const nanos = nanosOf(chunk, start);
      if (complete && !pending && to - from < entryBytes) this.#entry(stream, seconds, nanos, chunk, from, to);
      else this.#join(stream, complete, chunk.subarray(from, to), seconds, nanos);
    });
    return this.#out.subarray(0, this.#length);
  }

  /** Unfinished lines, as they are: there is no more. */
  flush(): Buffer {
    this.#out = Buffer.allocUnsafe(0);
    this.#length = 0;
    for (const stream of [1, 2] as const) {
      const pending = this.#pending[stream - 1];
      if (pending && pending.length > 0) this.#part(stream, pending, Buffer.concat(pending.pieces), false);
      this.#pending[stream - 1] = undefined;
    }
    return this.#out.subarray(0, this.#length);
  }

  #join(stream: Stream, complete: boolean, text: Buffer, seconds: number, nanos: number): void {
    const pending = this.#pending[stream - 1] ?? { pieces: [], length: 0, seconds, nanos, id: '', ordinal: 0 };
    this.#pending[stream - 1] = pending;
    if (pending.ordinal === 0) {
      pending.seconds = seconds;
      pending.nanos = nanos;
    }
    pending.pieces.push(Buffer.from(text));
    pending.length += text.length;
    if (!complete && pending.length < entryBytes) return;
    let joined = Buffer.concat(pending.pieces);
    while (joined.length >= entryBytes) {
      this.#part(stream, pending, joined.subarray(0, entryBytes), false);
      joined = joined.subarray(entryBytes);
    }
    if (!complete) {
      pending.pieces = [joined];
      pending.length = joined.length;
      return;
    }
    this.#pending[stream - 1] = undefined;
    if (pending.ordinal > 0) this.#part(stream, pending, joined, true);
    else this.#entry(stream, pending.seconds, pending.nanos, joined, 0, joined.length);
  }

  /** One of several entries of a line. */
  #part(stream: Stream, pending: Pending, bytes: Buffer, last: boolean): void {
    if (pending.ordinal === 0) pending.id = newId();
    pending.ordinal++;
    const metadata = [...(last ? [0x08, 1] : []), 0x12, pending.id.length, ...Buffer.from(pending.id), 0x18];
    pushVarint(metadata, pending.ordinal);
    const extra = Buffer.from([0x20, 1, 0x2a, metadata.length, ...metadata]);
    this.#entry(stream, pending.seconds, pending.nanos, bytes, 0, bytes.length, extra);
  }

  #entry(stream: Stream, seconds: number, nanos: number, text: Buffer, from: number, to: number, extra?: Buffer): void {
    if (seconds !== this.#seconds || nanos !== this.#nanos) this.#setTime(seconds, nanos);
    this.#reserve(overheadBytes + to - from + (extra?.length ?? 0));
    const begin = this.#length;
    this.#length += 4;
    const source = sources[stream - 1] ?? sources[0];
    this.#copy(source, 0, source.length);
    this.#copy(this.#time, 0, this.#timeLength);
    if (to > from) {
      this.#out[this.#length++] = 0x1a;
      let length = to - from;
      for (; length > 0x7f; length >>>= 7) this.#out[this.#length++] = (length & 0x7f) | 0x80;
      this.#out[this.#length++] = length;
      this.#copy(text, from, to);
    }
    if (extra) this.#copy(extra, 0, extra.length);
    this.#out.writeUInt32BE(this.#length - begin - 4, begin);
  }

  /** The field time_nano; many lines share one. A number does not hold it, so it is put together from two halves. */
  #setTime(seconds: number, nanos: number): void {
    this.#seconds = seconds;
    this.#nanos = nanos;
    let high = Math.floor(seconds / 65_536) * 1e9;
    let low = (seconds % 65_536) * 1e9 + nanos;
    // time = high * 2^16 + low, both below 2^53; taken in groups of seven bits.
    low += (high % 65_536) * 65_536;
    high = Math.floor(high / 65_536) + Math.floor(low / 2 ** 32);
    let value = low % 2 ** 32;
    this.#time[0] = 0x10;
    let at = 1;
    while (high > 0 || value > 0x7f) {
      this.#time[at++] = (value & 0x7f) | 0x80;
      value = Math.floor(value / 128) + (high % 128) * 2 ** 25;
      high = Math.floor(high / 128);
    }
    this.#time[at++] = value;
    this.#timeLength = at;
  }

  #copy(source: Buffer, from: number, to: number): void {
    if (to - from > 64) {
      source.copy(this.#out, this.#length, from, to);
    } else {
      const out = this.#out;
      for (let i = from, at = this.#length; i < to; i++, at++) out[at] = source[i] ?? 0;
    }
    this.#length += to - from;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#out.length * 2, this.#length + bytes));
    this.#out.copy(larger, 0, 0, this.#length);
    this.#out = larger;
  }
}

function pushVarint(out: number[], value: number): void {
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
}
