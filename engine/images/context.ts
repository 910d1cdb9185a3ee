import { Semaphore } from '@cleat/protocol/async/semaphore';
import type { Logger } from '@cleat/protocol/log';
import type { Content } from '../content/service.js';
import type { Distribution } from '../distribution/service.js';
import type { Events } from '../events/service.js';
import type { ImageId } from '../ids.js';
import type { Layers } from '../layers/service.js';
import type { Catalog, Image } from './catalog.js';
import { parseNewImageConfig } from './config.js';
import type { ImageUser } from './service.js';

export type ImageAction =
  | 'create'
  | 'pull'
  | 'push'
  | 'tag'
  | 'untag'
  | 'delete'
  | 'import'
  | 'load'
  | 'save'
  | 'commit';

interface ContextDeps {
  log: Logger;
  events: Events;
  catalog: Catalog;
  layers: Layers;
  content: Content;
  distribution: Distribution;
  usage: (imageId: ImageId) => ImageUser[];
}

/** Shared by the parts of this room. */
export class Context {
  readonly log: Logger;
  readonly catalog: Catalog;
  readonly layers: Layers;
  readonly content: Content;
  readonly distribution: Distribution;
  /** How many layers are unpacked at once, for all pulls together. */
  readonly unpacks: Semaphore;
  /** How many are unpacked while they come: apart, as a client that stops sending keeps its place. */
  readonly arrivals: Semaphore;
  readonly #events: Events;
  /** Which containers use an image. */
  readonly usage: (imageId: ImageId) => ImageUser[];
  readonly #deps: ContextDeps;
  readonly #isBuilders: boolean;

  /** @param of the context of which this is a builder's view */
  constructor(deps: ContextDeps, of?: Context) {
    this.#deps = deps;
    this.#isBuilders = of !== undefined;
    this.unpacks = of?.unpacks ?? new Semaphore(2);
    this.arrivals = of?.arrivals ?? new Semaphore(2);
    this.log = deps.log;
    this.#events = deps.events;
    this.catalog = deps.catalog;
    this.layers = deps.layers;
    this.content = deps.content;
    this.distribution = deps.distribution;
    this.usage = deps.usage;
  }

  /** For a builder: it sees build records, and what happens to these is not told to anybody. */
  forBuilder(builder: string): Context {
    return new Context({ ...this.#deps, catalog: this.#deps.catalog.forBuilder(builder) }, this);
  }

  /** An event with Docker's attributes: the image's labels and `name`. */
  publish(action: ImageAction, id: ImageId, name: string = id): void {
    if (this.#isBuilders && action !== 'tag') return;
    // Docker's delete event carries no labels: the image is gone by then.
    const labels = (action !== 'delete' && this.catalog.get(id)?.config.config?.Labels) || {};
    this.#events.publish({ type: 'image', action, id, attributes: { ...labels, name } });
  }

  /** As {@link Events.together}. */
  together<T>(work: () => T): T {
    return this.#events.together(work);
  }

  /** Pull and push name the reference, not the image, as the event's actor. */
  publishAs(action: 'pull' | 'push', reference: string, name: string, image: Image | undefined): void {
    const labels = image?.config.config?.Labels ?? {};
    this.#events.publish({ type: 'image', action, id: reference, attributes: { ...labels, name } });
  }

  publishPrune(reclaimed: number): void {
    this.#events.publish({ type: 'image', action: 'prune', id: '', attributes: { reclaimed: String(reclaimed) } });
  }

  /** Lets go of images that were removed by force, once their last container is gone. */
  async collectHeld(): Promise<void> {
    for (const image of this.catalog.held()) {
      if (this.usage(image.id).length > 0) continue;
      this.catalog.remove(image.id, false);
      await this.layers.collect(image.config.rootfs.diff_ids);
    }
  }

  /**
   * Registers an image whose layers are all here.
   * @param raw its configuration, byte for byte
   * @throws InvalidParameter for a configuration that is none
   */
  create(raw: string, parent?: ImageId): Image {
    parseNewImageConfig(raw);
    return this.catalog.add(raw, parent);
  }

  /** Bytes in all layers of an image, as Docker counts. */
  sizeOf(image: Image): number {
    let size = 0;
    for (const diffId of image.config.rootfs.diff_ids) size += this.layers.get(diffId)?.size ?? 0;
    return size;
  }
}
