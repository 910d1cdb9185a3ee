import { conflict, invalidParameter, notFound } from '@cleat/protocol/errors';
import { digestOf } from '../content/blobs.js';
import {
  familiar,
  isDigest,
  parseAny,
  type Reference,
  repositoryOf,
  withDefaultTag,
  withDigest,
} from '../content/references.js';
import type { ImageId } from '../ids.js';
import type { Collection, Store } from '../store/service.js';
import { goTime, nowNanos } from '../time.js';
import { type ImageConfig, parseImageConfig, platformOf } from './config.js';
import { Names } from './names.js';
import type { ImageRecord, TargetRecord } from './records.js';
import { type FoundTarget, hostDistance } from './targets.js';

/** An image as the room works with it. */
export interface Image {
  readonly id: ImageId;
  readonly record: ImageRecord;
  readonly config: ImageConfig;
}

/** An image that was looked for by a name or an ID, with the target that it came as. */
export interface Found {
  readonly image: Image;
  readonly target: TargetRecord | undefined;
  /** By one of its names, not by its ID. */
  readonly byName: boolean;
}

/**
 * Which images there are, and what they are called. Backed by the store; the parsed configurations are in memory. An
 * image is for one platform; a name that has several of them stands for the one that fits this host best, and the
 * others are its companions.
 */
export class Catalog {
  readonly #store: Store;
  readonly #images: Collection<ImageRecord>;
  readonly #loaded: Map<ImageId, Image>;
  readonly #names: Names;
  /** The builder whose build records are made here; with one, all build records are seen. */
  readonly #builder: string | undefined;

  constructor(store: Store, view?: { of: Catalog; builder: string }) {
    this.#store = store;
    this.#images = store.collection('images');
    this.#loaded = view ? view.of.#loaded : new Map();
    this.#names = view ? view.of.#names : new Names(store);
    this.#builder = view?.builder;
    if (view) return;
    for (const [, record] of this.#images.entries()) {
      const { id } = record;
      this.#loaded.set(id, { id, record, config: parseImageConfig(record.raw) });
    }
  }

  /** The same images as a builder sees them: build records among them, and what it adds is one. */
  forBuilder(builder: string): Catalog {
    return new Catalog(this.#store, { of: this, builder });
  }

  /** An image that users can see. */
  get(id: ImageId): Image | undefined {
    const image = this.#loaded.get(id);
    return image && this.#shows(image) ? image : undefined;
  }

  #shows({ record }: Image): boolean {
    return !record.removed && (record.builder === undefined || this.#builder !== undefined);
  }

  /** Returns the text as an ID if it is the full ID of an image that is here, held ones included. */
  knownId(text: string): ImageId | undefined {
    return this.#loaded.get(text as ImageId)?.id;
  }

  /** Also one that was removed by force but that a container still needs. */
  getHeld(id: ImageId): Image | undefined {
    return this.#loaded.get(id);
  }

  all(): Image[] {
    return [...this.#loaded.values()].filter((image) => this.#shows(image));
  }

  /** Images that were removed by force and are kept for their containers. */
  held(): Image[] {
    return [...this.#loaded.values()].filter((image) => image.record.removed);
  }

  /** Images that builders have made, and no build has had as its result. */
  buildRecords(): Image[] {
    return [...this.#loaded.values()].filter(({ record }) => record.builder !== undefined && !record.removed);
  }

  /** It is there, but not to be seen here. */
  isBuildRecord(id: ImageId): boolean {
    return this.#builder === undefined && this.#loaded.get(id)?.record.builder !== undefined;
  }

  /** Shows a build record as an ordinary image. */
  publish(id: ImageId): void {
    const image = this.#loaded.get(id);
    if (image?.record.builder === undefined) return;
    const { builder: _, ...record } = image.record;
    this.#put(record, image.config);
  }

  /** Whether an image, held ones included, needs the layer. */
  usesLayer(diffId: string): boolean {
    for (const image of this.#loaded.values()) {
      if (image.config.rootfs.diff_ids.includes(diffId)) return true;
    }
    return false;
  }

  children(id: ImageId): Image[] {
    return this.all().filter((image) => image.record.parent === id);
  }

  /** The references of an image, in the order of their names; tags and digests. */
  references(id: ImageId): Reference[] {
    return this.#names.of(id);
  }

  /** All references of one repository. */
  referencesIn(repository: string): { reference: Reference; id: ImageId }[] {
    return this.#names.all().filter(({ reference }) => repositoryOf(reference) === repository);
  }

  /** The target of a reference. */
  lookUp(reference: Reference): Image | undefined {
    return this.lookUpFound(reference)?.image;
  }

  lookUpFound(reference: Reference): Found | undefined {
    const named = this.#names.lookUp(reference);
    const image = named && this.get(named.id);
    return image && { image, target: named.target, byName: true };
  }

  /**
   * The image of that name, ID, or beginning of an ID, as Docker looks it up: a name goes first.
   * @throws NotFound `No such image: …`; InvalidParameter for what can be neither
   */
  find(text: string): Image {
    return this.found(text).image;
  }

  /** The same, and where it came from. @throws as {@link find} */
  found(text: string): Found {
    const any = parseAny(text);
    if (any.kind === 'id') {
      const id = this.knownId(any.id);
      const image = id && this.get(id);
      if (!image) throw notFound(`No such image: ${any.id}`);
      return { image, target: this.targetOf(image.id), byName: false };
    }
    const named = this.lookUpFound(any.reference);
    if (named) return named;
    const image = this.search(text);
    if (!image) throw notFound(`No such image: ${familiar(withDefaultTag(any.reference))}`);
    return { image, target: this.targetOf(image.id), byName: false };
  }

  /** The target that the image came as, by the first of its names that has one. */
  targetOf(id: ImageId): TargetRecord | undefined {
    for (const reference of this.references(id)) {
      const { target } = this.#names.lookUp(reference) ?? {};
      if (target) return target;
    }
    return this.#names.targets.of(id)[0];
  }

  /** The images of a target that are here, each once. */
  present(target: TargetRecord | undefined): Image[] {
    const ids = new Set(target?.manifests.map(({ image }) => image));
    return [...ids].map((id) => id && this.get(id)).filter((image) => image !== undefined);
  }

  /** Whether an image has no name of its own, but is shown with another that has. */
  isCompanion(id: ImageId): boolean {
    if (this.references(id).length > 0) return false;
    return this.#names.targets.of(id).some(({ digest }) => this.#names.ofTarget(digest).length > 0);
  }

  /** The images for other platforms that the names of an image have. */
  companions(id: ImageId): Image[] {
    const found = new Map<ImageId, Image>();
    for (const reference of this.references(id)) {
      for (const image of this.present(this.#names.lookUp(reference)?.target)) found.set(image.id, image);
    }
    return [...found.values()].filter((image) => image.id !== id && this.isCompanion(image.id));
  }

  /** The tags of a target. */
  tagsOf(target: TargetRecord): Reference[] {
    return this.#names.ofTarget(target.digest).filter((reference) => !reference.digest);
  }

  /** By the beginning of its ID; undefined when none or several begin so. */
  search(prefix: string): Image | undefined {
    const hex = prefix.startsWith('sha256:') ? prefix.slice(7) : prefix;
    if (!/^[a-f0-9]+$/.test(hex)) return undefined;
    const matches = this.all().filter((image) => image.id.startsWith(hex, 7));
    return matches.length === 1 ? matches[0] : undefined;
  }

  /** Adds the image of that configuration, or shows it again if it was there. */
  add(raw: string, parent?: ImageId): Image {
    const id = digestOf(raw) as ImageId;
    const present = this.#loaded.get(id);
    if (present && !present.record.removed) {
      if (this.#builder === undefined) this.publish(id);
      return this.#loaded.get(id) ?? present;
    }
    const record: ImageRecord = {
      v: 1,
      id,
      raw,
      stored: goTime(nowNanos()),
      ...((parent ?? present?.record.parent) && { parent: parent ?? present?.record.parent }),
      ...(this.#builder !== undefined && { builder: this.#builder }),
    };
    return this.#put(record, parseImageConfig(raw));
  }

  setParent(id: ImageId, parent: ImageId): void {
    const image = this.get(id);
    if (image && this.get(parent)) this.#put({ ...image.record, parent }, image.config);
  }

  #put(record: ImageRecord, config: ImageConfig): Image {
    this.#images.put(record.id, record);
    const image = { id: record.id, record, config };
    this.#loaded.set(record.id, image);
    return image;
  }

  /**
   * Lets a tag point to an image, away from where it pointed before.
   * @param target of which the image is a part
   * @throws InvalidParameter for a digest
   */
  tag(reference: Reference, id: ImageId, target?: TargetRecord): void {
    if (reference.digest) throw invalidParameter('refusing to create a tag with a digest reference');
    if (reference.path === 'library/sha256' && reference.domain === 'docker.io') {
      throw invalidParameter('refusing to create an ambiguous tag using digest algorithm as name');
    }
    const image = this.#point(withDefaultTag(reference), id, target);
    this.#put({ ...image.record, lastTagged: goTime(nowNanos()) }, image.config);
  }

  /** Remembers under which digest a repository has the image. */
  addDigest(reference: Reference, digest: string, id: ImageId, target?: TargetRecord): void {
    if (!isDigest(digest)) throw invalidParameter(`invalid digest ${digest}`);
    this.#point(withDigest(reference, digest), id, target);
  }

  #point(reference: Reference, given: ImageId, target: TargetRecord | undefined): Image {
    const id = target ? this.bestOf(target, given) : given;
    // An image with a name is no build record.
    if (this.get(id)) this.publish(id);
    const image = this.get(id);
    if (!image) throw conflict(`the image ${id} was removed meanwhile`);
    this.#store.transaction(() => this.#names.point(reference, id, target?.digest));
    return image;
  }

  /** The image that stands for a target: the one that fits this host best; of those that do not, the given one. */
  bestOf(target: TargetRecord, given: ImageId): ImageId {
    let best = { id: given, distance: Number.POSITIVE_INFINITY };
    for (const { id, config } of this.present(target)) {
      const distance = hostDistance(platformOf(config));
      if (distance < best.distance) best = { id, distance };
    }
    return best.id;
  }

  /**
   * Notes that an image of a target is here: all names of the target have it from now on.
   * @param manifest digest of the image's manifest, in the target
   */
  arrive(found: FoundTarget, manifest: string, id: ImageId): TargetRecord {
    return this.#store.transaction(() => {
      const target = this.#names.targets.arrive(found, manifest, id);
      this.#settle(target, id);
      return target;
    });
  }

  /** Takes an image out of a target. */
  leave(target: TargetRecord, id: ImageId): void {
    this.#store.transaction(() => {
      for (const left of this.#names.targets.leave(id, target.digest)) {
        const [next] = this.present(left);
        if (next) this.#settle(left, next.id);
      }
    });
  }

  #settle(target: TargetRecord, given: ImageId): void {
    const id = this.bestOf(target, given);
    for (const reference of this.#names.ofTarget(target.digest)) this.#names.point(reference, id, target.digest);
  }

  /** Forgets a reference. @returns it, with the default tag */
  untag(reference: Reference): Reference {
    const named = withDefaultTag(reference);
    this.#store.transaction(() => this.#names.remove(named));
    return named;
  }

  /** Forgets an image; `keep` hides it instead, for containers that still need it. */
  remove(id: ImageId, keep: boolean): void {
    const image = this.#loaded.get(id);
    if (!image) return;
    this.#store.transaction(() => {
      for (const reference of this.references(id)) this.#names.remove(reference);
      this.#names.targets.leave(id);
      if (keep) this.#put({ ...image.record, removed: true }, image.config);
      else this.#images.delete(id);
    });
    if (!keep) this.#loaded.delete(id);
  }
}
