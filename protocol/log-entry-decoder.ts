import { type LogEntry, maxEntryBytes, type PartialLogMetadata } from './log-entry.js';

const lengthBytes = 4;

export interface DecoderOptions {
  /** Longer entries are not believed. */
  maxBytes?: number;
}

/**
 * Takes a stream of entries apart, however it is cut. Where it finds no entry (a reader that came in the middle of one)
 * it goes on at the next place that looks like one, and counts what it passed over. Memory is bounded by the longest
 * entry.
 */
export class LogEntryDecoder {
  readonly #maxBytes: number;
  #held: Buffer = Buffer.alloc(0);
  /** Bytes that belonged to no entry. */
  skipped = 0;

  constructor(options: DecoderOptions = {}) {
    this.#maxBytes = options.maxBytes ?? maxEntryBytes;
  }

  /** The beginning of an entry whose end has not come. */
  get rest(): Buffer {
    return this.#held;
  }

  /** The entries that are complete with `chunk`. Their lines are views of it. */
  push(chunk: Uint8Array): LogEntry[] {
    const entries: LogEntry[] = [];
    this.visit(chunk, (entry) => entries.push(entry));
    return entries;
  }

  /** The same, one by one, each with its message as it came: for callers that hand entries on unchanged. */
  visit(chunk: Uint8Array, visitor: (entry: LogEntry, message: Buffer) => void): void {
    const bytes =
      this.#held.length > 0
        ? Buffer.concat([this.#held, chunk])
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (bytes.length - at >= lengthBytes) {
      const length = bytes.readUInt32BE(at);
      const start = at + lengthBytes;
      if (length > 0 && length <= this.#maxBytes && looksLikeEntry(bytes, start, start + length)) {
        if (start + length > bytes.length) break;
        const entry = decodeMessage(bytes, start, start + length);
        if (entry) {
          visitor(entry, bytes.subarray(start, start + length));
          at = start + length;
          continue;
        }
      }
      at++;
      this.skipped++;
    }
    // A copy: the caller may reuse its chunk.
    this.#held = Buffer.from(bytes.subarray(at));
  }
}

const stdout = Buffer.from('\n\x06stdout');
const stderr = Buffer.from('\n\x06stderr');

/** Every entry of an engine begins with its source. An entry without one is believed only if it decodes as a whole. */
function looksLikeEntry(bytes: Buffer, start: number, end: number): boolean {
  const first = bytes[start];
  if (first === undefined) return true;
  if (first !== 0x0a) return end <= bytes.length && isField(first);
  const seen = bytes.subarray(start, Math.min(start + stdout.length, bytes.length));
  return [stdout, stderr].some((known) => known.subarray(0, seen.length).equals(seen)) || end <= bytes.length;
}

function isField(tag: number): boolean {
  return tag === 0x10 || tag === 0x1a || tag === 0x20 || tag === 0x2a || tag === 0x32;
}

/** @returns undefined when these bytes are no message */
export function decodeMessage(bytes: Buffer, start: number, end: number): LogEntry | undefined {
  const cursor = new Cursor(bytes, start, end);
  const entry: LogEntry = { source: '', timeNano: 0n, line: bytes.subarray(0, 0), partial: false };
  try {
    while (!cursor.atEnd) {
      const tag = cursor.number();
      switch (tag) {
        case 0x0a:
          entry.source = cursor.text();
          break;
        case 0x10:
          entry.timeNano = cursor.int64();
          break;
        case 0x1a:
          entry.line = cursor.bytes();
          break;
        case 0x20:
          entry.partial = cursor.number() !== 0;
          break;
        case 0x2a:
          entry.partialLogMetadata = decodePartial(cursor.inner());
          break;
        case 0x32:
          entry.attrs ??= [];
          entry.attrs.push(decodeAttr(cursor.inner()));
          break;
        default:
          cursor.skip(tag);
      }
    }
  } catch {
    // Damaged: the caller looks for the next one.
    return undefined;
  }
  return entry;
}

function decodePartial(cursor: Cursor): PartialLogMetadata {
  const metadata: PartialLogMetadata = { last: false, id: '', ordinal: 0 };
  while (!cursor.atEnd) {
    const tag = cursor.number();
    if (tag === 0x08) metadata.last = cursor.number() !== 0;
    else if (tag === 0x12) metadata.id = cursor.text();
    else if (tag === 0x18) metadata.ordinal = Number(BigInt.asIntN(32, cursor.int64()));
    else cursor.skip(tag);
  }
  return metadata;
}

function decodeAttr(cursor: Cursor): { key: string; value: string } {
  const attr = { key: '', value: '' };
  while (!cursor.atEnd) {
    const tag = cursor.number();
    if (tag === 0x0a) attr.key = cursor.text();
    else if (tag === 0x12) attr.value = cursor.text();
    else cursor.skip(tag);
  }
  return attr;
}

/** Reads protobuf's wire format. Throws at whatever is none. */
class Cursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** A varint that fits a number. */
  number(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 49; factor *= 128) {
      const byte = this.#next();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new RangeError('varint too long');
  }

  int64(): bigint {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.#next();
      // Four groups of seven bits in the low half, the others in the high one.
      if (i < 4) low += (byte & 0x7f) * 128 ** i;
      else high += (byte & 0x7f) * 128 ** (i - 4);
      if (byte < 0x80) return BigInt.asIntN(64, (BigInt(high) << 28n) + BigInt(low));
    }
    throw new RangeError('varint too long');
  }

  bytes(): Buffer {
    const length = this.number();
    const from = this.#at;
    if (from + length > this.#end) throw new RangeError('field too long');
    this.#at += length;
    return this.#bytes.subarray(from, this.#at);
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  inner(): Cursor {
    const bytes = this.bytes();
    return new Cursor(bytes, 0, bytes.length);
  }

  /** Passes over a field that is not known. */
  skip(tag: number): void {
    if (tag < 8) throw new RangeError('no field');
    const size = { 0: -1, 1: 8, 2: -2, 5: 4 }[tag & 7];
    if (size === undefined) throw new RangeError('no wire type');
    if (size === -1) this.int64();
    else if (size === -2) this.bytes();
    else if (this.#at + size > this.#end) throw new RangeError('field too long');
    else this.#at += size;
  }

  #next(): number {
    const byte = this.#at < this.#end ? this.#bytes[this.#at++] : undefined;
    if (byte === undefined) throw new RangeError('message too short');
    return byte;
  }
}
