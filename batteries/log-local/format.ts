import { fstatSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { encodeLogEntry, type LogEntry, maxEntryBytes } from '@cleat/protocol/log-entry';
import { decodeMessage } from '@cleat/protocol/log-entry-decoder';
import type { FileFormat, FileRecord, LastRecords } from '@cleat/sdk/logs/file-format';

/** Before and after each message, so that a file can be read from both ends. */
const lengthBytes = 4;
const blockBytes = 256 * 1024;
const lineFeed = Buffer.from('\n');

/**
 * Docker's local format (moby `daemon/logger/local`): a record is a length of four bytes (big-endian), a message as in
 * `protocol/log-entry.ts`, and the length again.
 */
export function localFormat(attributes: [name: string, value: string][]): FileFormat {
  const suffix = attributesField(attributes);
  return { writer: () => new LocalWriter(suffix), endAfter, lastOf, records };
}

/** The field `attrs` of a message: what is appended to a message becomes a part of it. */
function attributesField(attributes: [name: string, value: string][]): Buffer {
  const attrs = attributes.map(([key, value]) => ({ key, value }));
  const entry = encodeLogEntry({ source: '', timeNano: 0n, line: new Uint8Array(), partial: false, attrs });
  return entry.subarray(lengthBytes);
}

class LocalWriter {
  readonly #suffix: Buffer;
  #out = Buffer.allocUnsafe(0);
  #length = 0;

  constructor(suffix: Buffer) {
    this.#suffix = suffix;
  }

  add(_: LogEntry, message: Buffer): void {
    const size = message.length + this.#suffix.length;
    this.#reserve(size + 2 * lengthBytes);
    this.#length = this.#out.writeUInt32BE(size, this.#length);
    this.#length += message.copy(this.#out, this.#length);
    this.#length += this.#suffix.copy(this.#out, this.#length);
    this.#length = this.#out.writeUInt32BE(size, this.#length);
  }

  take(): Buffer {
    const records = this.#out.subarray(0, this.#length);
    this.#out = Buffer.allocUnsafe(0);
    this.#length = 0;
    return records;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(64 * 1024, this.#out.length * 2, this.#length + bytes));
    this.#out.copy(larger, 0, 0, this.#length);
    this.#out = larger;
  }
}

function endAfter(records: Buffer, least: number): number {
  let end = 0;
  do end += records.readUInt32BE(end) + 2 * lengthBytes;
  while (end < least);
  return end;
}

/** Forward from the beginning: what a crash cut short has no length behind it. */
function lastOf(file: number): LastRecords {
  const { size } = fstatSync(file);
  const reader = new RecordReader();
  let times: bigint[] = [];
  for (let at = 0; at < size; at += blockBytes) {
    const block = Buffer.allocUnsafe(Math.min(blockBytes, size - at));
    readSync(file, block, 0, block.length, at);
    const found = reader.push(block).flatMap(({ entry }) => (entry ? [entry.timeNano] : []));
    // Two blocks hold more than the engine sends again; the last time may have begun in the one before.
    if (found.length > 0) times = [...times.slice(-(2 * blockBytes) / 16), ...found];
  }
  return { end: reader.offset, times };
}

async function* records(stream: Readable): AsyncGenerator<FileRecord> {
  const reader = new RecordReader();
  for await (const chunk of stream) yield* reader.push(chunk as Buffer);
}

/** Takes a file apart, however it is cut into pieces. What follows damage is not believed. */
class RecordReader {
  #held: Buffer = Buffer.alloc(0);
  #damaged = false;
  /** Where the last complete record ends. */
  offset = 0;

  push(chunk: Buffer): FileRecord[] {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    const found: FileRecord[] = [];
    let at = 0;
    while (!this.#damaged && bytes.length - at >= lengthBytes) {
      const length = bytes.readUInt32BE(at);
      const start = at + lengthBytes;
      if (length > maxEntryBytes) this.#damaged = true;
      if (this.#damaged || start + length + lengthBytes > bytes.length) break;
      if (bytes.readUInt32BE(start + length) !== length) {
        this.#damaged = true;
        break;
      }
      at = start + length + lengthBytes;
      found.push({ entry: entryOf(bytes, start, start + length), bytes: length + 2 * lengthBytes });
    }
    this.offset += at;
    this.#held = this.#damaged ? Buffer.alloc(0) : bytes.subarray(at);
    return found;
  }
}

function entryOf(bytes: Buffer, start: number, end: number): LogEntry | undefined {
  const entry = decodeMessage(bytes, start, end);
  if (!entry) return undefined;
  const ends = !entry.partial || entry.partialLogMetadata?.last === true;
  return ends ? { ...entry, line: Buffer.concat([entry.line, lineFeed]) } : entry;
}
