import { conflict, invalidParameter, notFound } from '@cleat/protocol/errors';
import { digestOf } from '../content/blobs.js';
import {
  canonical,
  familiar,
  isDigest,
  parseAny,
  parseReference,
  type Reference,
  withDefaultTag,
  withDigest,
} from '../content/references.js';
import type { ImageId } from '../ids.js';
import type { Collection, Store } from '../store/service.js';
import { goTime, nowNanos } from '../time.js';
import { type ImageConfig, parseImageConfig } from './config.js';
import type { ImageRecord, ReferenceRecord } from './records.js';

/** An image as the room works with it. */
export interface Image {
  readonly id: ImageId;
  readonly record: ImageRecord;
  readonly config: ImageConfig;
}

/**
 * Which images there are, and what they are called. Backed by the store; the reverse index (image → references,
 * parent → children) and the parsed configurations are in memory.
 */
export class Catalog {
  readonly #store: Store;
  readonly #images: Collection<ImageRecord>;
  readonly #references: Collection<ReferenceRecord>;
  readonly #loaded: Map<ImageId, Image>;
  readonly #names: Map<ImageId, Set<string>>;
  /** The builder whose build records are made here; with one, all build records are seen. */
  readonly #builder: string | undefined;

  constructor(store: Store, view?: { of: Catalog; builder: string }) {
    this.#store = store;
    this.#images = store.collection('images');
    this.#references = store.collection('image-references');
    this.#loaded = view ? view.of.#loaded : new Map();
    this.#names = view ? view.of.#names : new Map();
    this.#builder = view?.builder;
    if (view) return;
    for (const [, record] of this.#images.entries()) {
      const { id } = record;
      this.#loaded.set(id, { id, record, config: parseImageConfig(record.raw) });
    }
    for (const [name, { id }] of this.#references.entries()) this.#namesOf(id).add(name);
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
    return [...(this.#names.get(id) ?? [])].sort().map(parseReference);
  }

  /** All references of one repository. */
  referencesIn(repository: string): { reference: Reference; id: ImageId }[] {
    const found: { reference: Reference; id: ImageId }[] = [];
    for (const [id, names] of this.#names) {
      for (const name of names) {
        const reference = parseReference(name);
        if (`${reference.domain}/${reference.path}` === repository) found.push({ reference, id });
      }
    }
    return found;
  }

  /** The target of a reference. */
  lookUp(reference: Reference): Image | undefined {
    const id = this.#references.get(canonical(withDefaultTag(reference)))?.id;
    return id === undefined ? undefined : this.get(id);
  }

  /**
   * The image of that name, ID, or beginning of an ID, as Docker looks it up: a name goes first.
   * @throws NotFound `No such image: …`; InvalidParameter for what can be neither
   */
  find(text: string): Image {
    const any = parseAny(text);
    if (any.kind === 'id') {
      const id = this.knownId(any.id);
      const image = id && this.get(id);
      if (!image) throw notFound(`No such image: ${any.id}`);
      return image;
    }
    const image = this.lookUp(any.reference) ?? this.search(text);
    if (!image) throw notFound(`No such image: ${familiar(withDefaultTag(any.reference))}`);
    return image;
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
   * @throws InvalidParameter for a digest
   */
  tag(reference: Reference, id: ImageId): void {
    if (reference.digest) throw invalidParameter('refusing to create a tag with a digest reference');
    if (reference.path === 'library/sha256' && reference.domain === 'docker.io') {
      throw invalidParameter('refusing to create an ambiguous tag using digest algorithm as name');
    }
    const image = this.#point(withDefaultTag(reference), id);
    this.#put({ ...image.record, lastTagged: goTime(nowNanos()) }, image.config);
  }

  /** Remembers under which digest a repository has the image. */
  addDigest(reference: Reference, digest: string, id: ImageId): void {
    if (!isDigest(digest)) throw invalidParameter(`invalid digest ${digest}`);
    this.#point(withDigest(reference, digest), id);
  }

  #point(reference: Reference, id: ImageId): Image {
    // An image with a name is no build record.
    if (this.get(id)) this.publish(id);
    const image = this.get(id);
    if (!image) throw conflict(`the image ${id} was removed meanwhile`);
    const name = canonical(reference);
    const before = this.#references.get(name)?.id;
    if (before !== undefined && before !== id) this.#namesOf(before).delete(name);
    if (before !== id) this.#references.put(name, { v: 1, id });
    this.#namesOf(id).add(name);
    return image;
  }

  /** Forgets a reference. @returns it, with the default tag */
  untag(reference: Reference): Reference {
    const named = withDefaultTag(reference);
    const name = canonical(named);
    const id = this.#references.get(name)?.id;
    if (id !== undefined) {
      this.#references.delete(name);
      this.#namesOf(id).delete(name);
    }
    return named;
  }

  /** Forgets an image; `keep` hides it instead, for containers that still need it. */
  remove(id: ImageId, keep: boolean): void {
    const image = this.#loaded.get(id);
    if (!image) return;
    this.#store.transaction(() => {
      for (const name of this.#names.get(id) ?? []) this.#references.delete(name);
      if (keep) this.#put({ ...image.record, removed: true }, image.config);
      else this.#images.delete(id);
    });
    this.#names.delete(id);
    if (!keep) this.#loaded.delete(id);
  }

  #namesOf(id: ImageId): Set<string> {
    let names = this.#names.get(id);
    if (!names) {
      names = new Set();
      this.#names.set(id, names);
    }
    return names;
  }
}
