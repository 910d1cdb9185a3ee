/**
 * The stream that a log driver reads from its FIFO, and that `ReadLogs` answers with: each entry is a length of four
 * bytes (big-endian) and a protobuf message (moby `daemon/logger/internal/logdriver/entry.proto`):
 * source=1 string, time_nano=2 int64, line=3 bytes, partial=4 bool, partial_log_metadata=5 {last=1 bool, id=2 string,
 * ordinal=3 int32}, attrs=6 repeated {key=1, value=2}.
 */
export interface LogEntry {
  /** `stdout` or `stderr`. */
  source: string;
  timeNano: bigint;
  /** Without its line feed. */
  line: Uint8Array;
  /** The line goes on in the next entry, or has begun in an earlier one. */
  partial: boolean;
  partialLogMetadata?: PartialLogMetadata;
  attrs?: { key: string; value: string }[];
}

export interface PartialLogMetadata {
  /** The line ends with this entry. */
  last: boolean;
  /** The same for all entries of a line. */
  id: string;
  /** Counts from 1. */
  ordinal: number;
}

/** The longest entry that a decoder accepts: Docker's own stops at 10^6 bytes. */
export const maxEntryBytes = 1_000_000;

/** One entry with its length before it. */
export function encodeLogEntry(entry: LogEntry): Buffer {
  const message: number[] = [];
  const parts: Uint8Array[] = [];
  const finish = () => {
    if (message.length > 0) parts.push(Uint8Array.from(message.splice(0)));
  };
  text(message, 1, entry.source);
  if (entry.timeNano !== 0n) {
    message.push(0x10);
    varint(message, BigInt.asUintN(64, entry.timeNano));
  }
  if (entry.line.length > 0) {
    message.push(0x1a);
    varint(message, BigInt(entry.line.length));
    finish();
    parts.push(entry.line);
  }
  if (entry.partial) message.push(0x20, 1);
  if (entry.partialLogMetadata) {
    const { last, id, ordinal } = entry.partialLogMetadata;
    const inner: number[] = [];
    if (last) inner.push(0x08, 1);
    text(inner, 2, id);
    if (ordinal !== 0) {
      inner.push(0x18);
      varint(inner, BigInt.asUintN(64, BigInt(ordinal)));
    }
    nested(message, 5, inner);
  }
  for (const { key, value } of entry.attrs ?? []) {
    const inner: number[] = [];
    text(inner, 1, key);
    text(inner, 2, value);
    nested(message, 6, inner);
  }
  finish();
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

function varint(out: number[], value: bigint): void {
  let rest = value;
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
}

function text(out: number[], field: number, value: string): void {
  if (value !== '') nested(out, field, [...Buffer.from(value)]);
}

function nested(out: number[], field: number, bytes: number[]): void {
  out.push((field << 3) | 2);
  varint(out, BigInt(bytes.length));
  for (const byte of bytes) out.push(byte);
}
