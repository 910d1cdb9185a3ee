import { invalidParameter } from '@cleat/protocol/errors';
import type { ByteName } from '../rootfs/names.js';

export type EntryType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

/** One entry of a tar, all extensions applied. */
export interface TarEntry {
  name: ByteName;
  type: EntryType;
  /** Bytes of a file; those in the archive are fewer when it is sparse. */
  size: number;
  /** Permission bits, set-id and sticky bits included. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since the epoch, with a fraction where the archive has one. */
  mtime: number;
  linkName: ByteName;
  major: number;
  minor: number;
  /** Extended attributes, by full name. Values are bytes: a capability is no text. */
  xattrs: Map<string, Buffer>;
}

/** A raw header block (POSIX ustar, GNU). */
export interface RawHeader {
  name: ByteName;
  flag: string;
  size: number;
  mode: number;
  uid: number;
  gid: number;
  mtime: number;
  linkName: ByteName;
  major: number;
  minor: number;
}

export const blockSize = 512;

export const malformed = (detail: string) => invalidParameter(`invalid tar header: ${detail}`);

/** @returns undefined for a block of zeros, which ends an archive. @throws InvalidParameter */
export function parseHeader(block: Buffer): RawHeader | undefined {
  const { unsigned, signed } = checksums(block);
  if (unsigned === 8 * 0x20) return undefined;
  const stored = parseNumber(block, 148, 8);
  if (stored !== unsigned && stored !== signed) throw malformed('wrong checksum');
  const magic = block.toString('latin1', 257, 263);
  const prefix = magic === 'ustar\0' ? parseText(block, 345, 155) : '';
  const name = parseText(block, 0, 100);
  return {
    name: (prefix ? `${prefix}/${name}` : name) as ByteName,
    flag: String.fromCharCode(block[156] ?? 0),
    size: parseNumber(block, 124, 12),
    mode: parseNumber(block, 100, 8) & 0o7777,
    uid: parseNumber(block, 108, 8),
    gid: parseNumber(block, 116, 8),
    mtime: parseNumber(block, 136, 12, true),
    linkName: parseText(block, 157, 100),
    major: parseNumber(block, 329, 8),
    minor: parseNumber(block, 337, 8),
  };
}

/** The sum of all bytes, the checksum's own taken for spaces; some old programs added signed ones. */
export function checksums(block: Buffer): { unsigned: number; signed: number } {
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let at = 0; at < blockSize; at++) {
    if (at >= 148 && at < 156) continue;
    unsigned += block[at] ?? 0;
    signed += block.readInt8(at);
  }
  return { unsigned, signed };
}

function parseText(block: Buffer, at: number, length: number): ByteName {
  const end = block.indexOf(0, at);
  return block.toString('latin1', at, end < 0 || end > at + length ? at + length : end) as ByteName;
}

/** Octal digits, or (first bit set) a big-endian number in base 256. @throws InvalidParameter */
export function parseNumber(block: Buffer, at: number, length: number, mayBeNegative = false): number {
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
  let value = first & 0x40 ? BigInt.asIntN(8, BigInt(first)) : BigInt(first & 0x3f);
  for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[at + i] ?? 0);
  const result = Number(value);
  if (!Number.isSafeInteger(result) || (result < 0 && !mayBeNegative)) throw malformed('a number is out of range');
  return result;
}
