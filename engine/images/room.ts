import type { Logger } from '@cleat/protocol/log';
import type { EngineConfig } from '../config.js';
import type { Events } from '../events/service.js';
import type { Blobs, StoredBlob, WriteOptions } from './blobs.js';
import { digestOf } from './blobs.js';
import type { Catalog, Image } from './catalog.js';
import { parseNewImageConfig } from './config.js';
import type { Layers } from './layers.js';
import type { Lease, Leases } from './leases.js';
import type { Reach } from './registry/transport.js';
import { Semaphore } from './semaphore.js';

/** A container, as far as images care. */
export interface ImageUser {
  containerId: string;
  name: string;
  running: boolean;
}

/** The configuration that this room reads. */
export type ImagesConfig = Pick<
  EngineConfig,
  'dataRoot' | 'insecureRegistries' | 'registryMirrors' | 'maxConcurrentDownloads'
>;

export type ImageAction = 'pull' | 'push' | 'tag' | 'untag' | 'delete' | 'import' | 'load' | 'save' | 'commit';

/** What the parts of this room share. */
export class Room {
  readonly config: ImagesConfig;
  readonly log: Logger;
  readonly catalog: Catalog;
  readonly layers: Layers;
  readonly blobs: Blobs;
  readonly leases: Leases;
  /** How registries are reached; undefined: as they are. */
  readonly reach: Reach | undefined;
  /** How many layers are downloaded, and how many unpacked, at once; for all pulls together. */
  readonly downloads: Semaphore;
  readonly unpacks = new Semaphore(2);
  readonly #events: Events;
  /** Which containers use an image; asked back from the containers' room. */
  usage: (imageId: string) => ImageUser[] = () => [];

  constructor(deps: {
    config: ImagesConfig;
    log: Logger;
    events: Events;
    catalog: Catalog;
    layers: Layers;
    blobs: Blobs;
    leases: Leases;
    reach?: Reach;
  }) {
    this.config = deps.config;
    this.downloads = new Semaphore(Math.max(1, deps.config.maxConcurrentDownloads));
    this.log = deps.log;
    this.#events = deps.events;
    this.catalog = deps.catalog;
    this.layers = deps.layers;
    this.blobs = deps.blobs;
    this.leases = deps.leases;
    this.reach = deps.reach;
  }

  /** An event with Docker's attributes: the image's labels and `name`. */
  publish(action: ImageAction, id: string, name: string = id): void {
    const labels = this.catalog.get(id)?.config.config?.Labels ?? {};
    this.#events.publish({ type: 'image', action, id, attributes: { ...labels, name } });
  }

  /** Pull and push name the reference, not the image, as the event's actor. */
  publishAs(action: 'pull' | 'push', reference: string, name: string, image: Image | undefined): void {
    const labels = image?.config.config?.Labels ?? {};
    this.#events.publish({ type: 'image', action, id: reference, attributes: { ...labels, name } });
  }

  publishPrune(reclaimed: number): void {
    this.#events.publish({ type: 'image', action: 'prune', id: '', attributes: { reclaimed: String(reclaimed) } });
  }

  /** Does work that needs layers and blobs which no image refers to yet; what remains unneeded is removed after it. */
  async withLease<T>(work: (lease: Lease) => Promise<T>): Promise<T> {
    const lease = this.leases.take();
    try {
      return await work(lease);
    } finally {
      lease.end();
      await this.collect(lease.layers);
      await this.#collectBlobs(lease.blobs);
    }
  }

  /** Stores a stream as a blob that `lease` holds. */
  async storeBlob(
    source: AsyncIterable<Buffer | string>,
    lease: Lease,
    options: Pick<WriteOptions, 'size' | 'signal' | 'onBytes'> = {},
  ): Promise<StoredBlob> {
    const blob = await this.blobs.write(source, options);
    lease.keepBlob(blob.digest);
    return blob;
  }

  async #collectBlobs(digests: Iterable<string>): Promise<void> {
    const needed = new Set(this.layers.all().map((layer) => layer.blob.digest));
    for (const digest of digests) {
      if (!needed.has(digest) && !this.leases.holdsBlob(digest)) await this.blobs.remove(digest);
    }
  }

  /** Removes those of these layers that no image needs any more. */
  async collect(diffIds: Iterable<string>): Promise<void> {
    await this.layers.collect(diffIds, (diffId) => this.catalog.usesLayer(diffId));
  }

  /** Lets go of images that were removed by force, once their last container is gone. */
  async collectHeld(): Promise<void> {
    for (const image of this.catalog.held()) {
      if (this.usage(image.id).length > 0) continue;
      this.catalog.remove(image.id, false);
      await this.collect(image.config.rootfs.diff_ids);
    }
  }

  /**
   * Registers an image whose layers are all here.
   * @param raw its configuration, byte for byte
   * @throws InvalidParameter for a configuration that is none
   */
  create(raw: string, parent?: string): Image {
    parseNewImageConfig(raw);
    return this.catalog.add(digestOf(raw), raw, parent);
  }

  /** Bytes in all layers of an image, as Docker counts. */
  sizeOf(image: Image): number {
    let size = 0;
    for (const diffId of image.config.rootfs.diff_ids) size += this.layers.get(diffId)?.size ?? 0;
    return size;
  }
}
