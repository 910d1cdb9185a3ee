import type { Lease, StoredBlob } from '../content/service.js';
import type { LayerPlace, LayerRecord } from './record.js';

export type { LayerPlace, LayerRecord } from './record.js';

export interface AddLayer {
  /** A blob that `lease` holds. */
  blob: StoredBlob;
  lease: Lease;
  /** The expected content. */
  diffId?: string;
  onRead?: (bytes: number) => void;
  signal?: AbortSignal;
  /** Nobody needs the blob afterwards: where it is not kept it goes at once, perhaps before it was on the disk. */
  isSpent?: boolean;
}

/** A layer that is unpacked while its blob still comes. Ends with `finish` or `abandon`. */
export interface GrowingLayer {
  /** There is more of the blob. */
  grew(): void;
  /**
   * The blob is whole, and `lease` holds it.
   * @throws whatever unpacking it throws
   */
  finish(blob: StoredBlob, lease: Lease): Promise<LayerRecord>;
  /** There will be no such layer. Nothing of it is left then. */
  abandon(): Promise<void>;
}

/** The rooms that keep layers for good: images, plugins. */
export interface LayerUser {
  usesLayer(diffId: string): boolean;
}

/**
 * Unpacked layers, by the digest of their content. A layer is there once for all its users, and goes with the last one.
 */
export interface Layers {
  get(diffId: string): LayerRecord | undefined;
  all(): LayerRecord[];
  /** The layer that was unpacked from that very blob, if it is here; the blob may be gone. */
  ofBlob(digest: string): LayerRecord | undefined;
  /**
   * The archive of a layer, uncompressed, whether it is kept as it came or not; the caller holds a lease on the layer.
   * @param isBrief each piece is only good until the next is asked for, which is cheaper
   * @throws through the iteration: DataLoss for what is no longer as it came
   */
  archive(record: LayerRecord, isBrief?: boolean): AsyncIterable<Buffer>;
  /** Absolute path of a layer's directory. */
  path(record: LayerRecord): string;
  /**
   * Unpacks a blob, unless the layer is here already.
   * @throws DataLoss when it is not `diffId`; whatever `unpack` throws
   */
  add(request: AddLayer): Promise<LayerRecord>;
  /**
   * Begins to unpack a blob that still grows. For archives that are loaded: their layers come one after the other. A pull
   * unpacks one layer while others come, and an import waits until its only one is whole and has a digest.
   * @param archive its file, which may be renamed, but not cut
   */
  begin(archive: string, signal?: AbortSignal): GrowingLayer;
  /** Remembers that a repository has it, and in which form. */
  addPlace(diffId: string, place: LayerPlace): void;
  /** Removes those of these layers that neither a user nor work under way needs, and their blobs. */
  collect(diffIds: Iterable<string>): Promise<void>;
  /** Does work that needs layers and blobs which nobody keeps yet; what is kept by nobody afterwards is removed. */
  withLease<T>(work: (lease: Lease) => Promise<T>): Promise<T>;
}
