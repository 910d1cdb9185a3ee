import { canonical, parseReference, type Reference, withDefaultTag } from '../content/references.js';
import type { ImageId } from '../ids.js';
import type { Collection, Store } from '../store/service.js';
import type { ReferenceRecord, TargetRecord } from './records.js';
import { Targets } from './targets.js';

/** The names of images. Backed by the store; the reverse indexes are in memory. */
export class Names {
  readonly targets: Targets;
  readonly #records: Collection<ReferenceRecord>;
  readonly #ofImage = new Map<ImageId, Set<string>>();
  readonly #ofTarget = new Map<string, Set<string>>();

  constructor(store: Store) {
    this.targets = new Targets(store);
    this.#records = store.collection('image-references');
    for (const [name, record] of this.#records.entries()) this.#index(name, record);
    // A crash came between a target and its name.
    for (const { digest } of this.targets.all()) if (!this.#ofTarget.has(digest)) this.targets.delete(digest);
  }

  /** The references of an image, in the order of their names; tags and digests. */
  of(id: ImageId): Reference[] {
    return [...(this.#ofImage.get(id) ?? [])].sort().map(parseReference);
  }

  /** The references of a target. */
  ofTarget(digest: string): Reference[] {
    return [...(this.#ofTarget.get(digest) ?? [])].sort().map(parseReference);
  }

  /** All references, with the image of each. */
  all(): { reference: Reference; id: ImageId }[] {
    return [...this.#ofImage].flatMap(([id, names]) =>
      [...names].map((name) => ({ reference: parseReference(name), id })),
    );
  }

  lookUp(reference: Reference): { id: ImageId; target: TargetRecord | undefined } | undefined {
    const record = this.#records.get(canonical(withDefaultTag(reference)));
    return record && { id: record.id, target: this.targets.get(record.target) };
  }

  /** Lets a name stand for an image, alone or as part of a target. */
  point(reference: Reference, id: ImageId, target: string | undefined): void {
    const name = canonical(reference);
    const before = this.#records.get(name);
    if (before?.id === id && before.target === target) return;
    const record: ReferenceRecord = { v: 1, id, ...(target !== undefined && { target }) };
    this.#records.put(name, record);
    if (before) this.#forget(name, before, target);
    this.#index(name, record);
  }

  remove(reference: Reference): void {
    const name = canonical(reference);
    const record = this.#records.get(name);
    if (!record) return;
    this.#records.delete(name);
    this.#forget(name, record);
  }

  #index(name: string, { id, target }: ReferenceRecord): void {
    added(this.#ofImage, id, name);
    if (target !== undefined) added(this.#ofTarget, target, name);
  }

  /** @param kept a target that is still needed */
  #forget(name: string, { id, target }: ReferenceRecord, kept?: string): void {
    taken(this.#ofImage, id, name);
    if (target === undefined) return;
    taken(this.#ofTarget, target, name);
    if (target !== kept && !this.#ofTarget.has(target)) this.targets.delete(target);
  }
}

function added<K>(index: Map<K, Set<string>>, key: K, name: string): void {
  index.set(key, (index.get(key) ?? new Set()).add(name));
}

function taken<K>(index: Map<K, Set<string>>, key: K, name: string): void {
  const names = index.get(key);
  names?.delete(name);
  if (names?.size === 0) index.delete(key);
}
