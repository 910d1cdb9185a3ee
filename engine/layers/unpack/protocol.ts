import type { Compression } from '@cleat/linux/archive/compression';
import type { ErrorClass } from '@cleat/protocol/errors';

/** One archive that is to be unpacked. */
export interface UnpackOrder {
  /** A file that the engine holds open until it is answered, as `/proc/PID/fd/N`: its name may change meanwhile. */
  archive: string;
  /** False when more is still written to its end: news tell of that. */
  isWhole: boolean;
  /** An existing empty directory. */
  target: string;
  /** Bytes after decompression. */
  maxBytes: number;
  maxEntries: number;
  /** Where the outline of the archive is to be written; not there: none. */
  outline?: string;
}

/** For an archive that still grows: there is more of it, or now all. */
export interface UnpackNews {
  isWhole: boolean;
}

/** Messages to the unpacking process: one order, and news of it until it is answered; then the next order. */
export type UnpackMessage = { unpack: UnpackOrder } | { grown: UnpackNews };

/** The outcome. */
export interface UnpackDone {
  /** SHA-256 of the decompressed archive; of one that is not compressed it is that of the archive, and not computed. */
  diffId?: string;
  /** Bytes in regular files. */
  size: number;
  /** Bytes of the decompressed archive. */
  tarSize: number;
  compression: Compression;
  /** The outline is written as ordered, and with it the archive can be written again. */
  hasOutline?: boolean;
}

export type UnpackReport = { read: number } | { done: UnpackDone } | { error: { class: ErrorClass; message: string } };
