import type { Change } from './redo-log.js';

/** The latest write of each key, over what lies below. A null says that the key was removed. */
export class Writes {
  readonly #collections = new Map<string, Map<string, string | null>>();

  /** @returns undefined when the key was not written here */
  get(collection: string, key: string): string | null | undefined {
    return this.#collections.get(collection)?.get(key);
  }

  set(collection: string, key: string, text: string | null): void {
    const keys = this.#collections.get(collection) ?? new Map<string, string | null>();
    this.#collections.set(collection, keys.set(key, text));
  }

  of(collection: string): Iterable<readonly [key: string, text: string | null]> {
    return this.#collections.get(collection) ?? [];
  }

  apply(changes: Iterable<Change>): void {
    for (const [collection, key, text] of changes) this.set(collection, key, text ?? null);
  }

  get empty(): boolean {
    return this.#collections.size === 0;
  }

  *changes(): Generator<Change> {
    for (const [collection, keys] of this.#collections) {
      for (const [key, text] of keys) yield text === null ? [collection, key] : [collection, key, text];
    }
  }
}
