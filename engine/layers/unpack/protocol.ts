import type { Compression } from '@cleat/linux/archive/compression';
import type { ErrorClass } from '@cleat/protocol/errors';

/** What the unpacking process is told. */
export interface UnpackOptions {
  /** Bytes after decompression. */
  maxBytes: number;
  maxEntries: number;
  /** SHA-256 of the archive as it is: of a plain one its content's, which need not be computed again. */
  digest?: string;
  /** Process id of the engine, with which it ends. */
  parent: number;
}

/** What came of it. */
export interface UnpackDone {
  /** SHA-256 of the decompressed archive. */
  diffId: string;
  /** Bytes in regular files. */
  size: number;
  /** Bytes of the decompressed archive. */
  tarSize: number;
  compression: Compression;
}

export type UnpackReport = { read: number } | { done: UnpackDone } | { error: { class: ErrorClass; message: string } };
