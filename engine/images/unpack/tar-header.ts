import { invalidParameter } from '@cleat/protocol/errors';

export type EntryType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

/** One entry of a tar, all extensions applied. */
export interface TarEntry {
  name: string;
  type: EntryType;
  /** Bytes of content that follow. */
  size: number;
  /** Permission bits, set-id and sticky bits included. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since the epoch, with a fraction where the archive has one. */
  mtime: number;
  linkName: string;
  major: number;
  minor: number;
  /** Extended attributes, by full name. Values are bytes: a capability is no text. */
  xattrs: Map<string, Buffer>;
}

/** A raw header block (POSIX ustar, GNU). */
export interface RawHeader {
  name: string;
  flag: string;
  size: number;
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
  linkName: string;
  major: number;
  minor: number;
}

export const blockSize = 512;

const malformed = (detail: string) => invalidParameter(`invalid tar header: ${detail}`);

/** @returns undefined for a block of zeros, which ends an archive. @throws InvalidParameter */
export function parseHeader(block: Buffer): RawHeader | undefined {
  let sum = 8 * 0x20;
  let signed = sum;
  for (let at = 0; at < blockSize; at++) {
    if (at >= 148 && at < 156) continue;
    sum += block[at] ?? 0;
    signed += block.readInt8(at);
  }
  if (sum === 8 * 0x20) return undefined;
  const stored = number(block, 148, 8);
  if (stored !== sum && stored !== signed) throw malformed('wrong checksum');
  const magic = block.toString('latin1', 257, 263);
  const prefix = magic === 'ustar\0' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix ? `${prefix}/${name}` : name,
    flag: String.fromCharCode(block[156] ?? 0),
    size: number(block, 124, 12),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    mtime: number(block, 136, 12, true),
    linkName: text(block, 157, 100),
    major: number(block, 329, 8),
    minor: number(block, 337, 8),
  };
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString('utf8', at, end < 0 || end > at + length ? at + length : end);
}

/** Octal digits, or (first bit set) a big-endian number in base 256. */
function number(block: Buffer, at: number, length: number, mayBeNegative = false): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = block
      .toString('latin1', at, at + length)
      .replace(/\0.*$/s, '')
      .trim();
    if (digits === '') return 0;
    if (!/^[0-7]+$/.test(digits)) throw malformed('a number is not octal');
    return Number.parseInt(digits, 8);
  }
  let value = BigInt.asIntN(7, BigInt(first));
  if (value >= 0n) value = BigInt(first & 0x3f);
  for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[at + i] ?? 0);
  const result = Number(value);
  if (!Number.isSafeInteger(result) || (result < 0 && !mayBeNegative)) throw malformed('a number is out of range');
  return result;
}

/** Records of a PAX extended header: `LENGTH KEY=VALUE\n`. Values stay bytes. @throws InvalidParameter */
export function parsePax(data: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  let at = 0;
  while (at < data.length && data[at] !== 0) {
    const space = data.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(data.toString('latin1', at, space));
    const end = at + length;
    const equals = data.indexOf(0x3d, space);
    if (!Number.isInteger(length) || length <= 0 || end > data.length || equals < 0 || equals >= end) {
      throw malformed('damaged PAX record');
    }
    records.set(data.toString('utf8', space + 1, equals), data.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}
