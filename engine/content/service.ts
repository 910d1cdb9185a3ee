import type { ReadStream } from 'node:fs';
import type { GrowingBlob, StoredBlob, WriteOptions } from './blobs.js';
import type { Lease } from './leases.js';

export type { GrowingBlob, StoredBlob, WriteOptions } from './blobs.js';
export type { Lease } from './leases.js';

/**
 * Content-addressed blobs (SHA-256), and leases on those that work under way needs. It knows nothing of images: `layers/`,
 * which alone keeps blobs for good, says so in `removeAllBut` at the start, and removes them itself afterwards.
 */
export interface Content {
  /**
   * Stores a stream as a blob that `lease` holds.
   * @throws DataLoss when it is not what it must be, Cancelled, System (ENOSPC), and whatever `source` throws
   */
  store(source: AsyncIterable<Buffer | string>, lease: Lease, options?: WriteOptions): Promise<StoredBlob>;
  /** Begins a blob that comes in pieces; what is not finished leaves nothing. No lease holds it by itself. */
  grow(options?: WriteOptions): Promise<GrowingBlob>;
  has(digest: string): Promise<boolean>;
  read(digest: string): ReadStream;
  /** Absolute path of a blob's file. */
  path(digest: string): string;
  /** Protects what it names until it ends; `layers/` collects afterwards. */
  lease(): Lease;
  /** Whether work under way needs the blob. */
  isLeased(digest: string): boolean;
  /** Whether work under way needs the layer. */
  isLayerLeased(diffId: string): boolean;
  remove(digest: string): Promise<void>;
  /** At the start: removes what a crash left behind. */
  removeAllBut(needed: ReadonlySet<string>): Promise<void>;
}
