import type { ReadStream } from 'node:fs';
import type { GrowingBlob, StoredBlob, WriteOptions } from './blobs.js';
import type { Lease } from './leases.js';

export type { GrowingBlob, StoredBlob, WriteOptions } from './blobs.js';
export type { Lease } from './leases.js';

/** A room that keeps blobs for good: layers, plugins. */
export interface BlobUser {
  /** The digests of all that it needs now. */
  blobs(): Iterable<string>;
}

/**
 * Content-addressed blobs (SHA-256), and leases on those that work under way needs. It knows nothing of images: who keeps
 * blobs says so with `addUser`.
 */
export interface Content {
  /**
   * Stores a stream as a blob that `lease` holds.
   * @throws DataLoss when it is not what it must be, Cancelled, System (ENOSPC), and whatever `source` throws
   */
  store(source: AsyncIterable<Buffer | string>, lease: Lease, options?: WriteOptions): Promise<StoredBlob>;
  /** Begins a blob that comes in pieces; what is not finished leaves nothing. No lease holds it by itself. */
  grow(options?: WriteOptions): Promise<GrowingBlob>;
  /** A path that is free, for a file on its way into the store; the next start removes what is left there. */
  draft(): string;
  has(digest: string): Promise<boolean>;
  read(digest: string): ReadStream;
  /** Absolute path of a blob's file. */
  path(digest: string): string;
  /** From now on, what `user` needs is kept. */
  addUser(user: BlobUser): void;
  /** Protects what it names until it ends; collect afterwards. */
  lease(): Lease;
  /** Whether work under way needs the layer. */
  isLayerLeased(diffId: string): boolean;
  /** Removes those of these blobs that neither a user nor work under way needs. */
  collect(digests: Iterable<string>): Promise<void>;
  /** At the start, once all users are known: removes what a crash left behind. */
  collectAll(): Promise<void>;
}
