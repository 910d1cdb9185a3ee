import type { LinkChange } from '@cleat/linux/net/link-changes';
import type { EndpointRecord } from './state.js';

/** Looks after which a container that ended has been taken off its networks: some ten seconds. */
const looksUntilLost = 25;

/**
 * Knows the interfaces of endpoints by the kernel's numbers for them, which a change of name leaves alone. As far as the
 * kernel told of them: those that were renamed while nobody listened are not recognised.
 */
export class Identities {
  /** By number: the endpoint. */
  readonly #endpoints = new Map<number, string>();
  /** By endpoint: the name that its interface has instead of its own. */
  readonly #renamed = new Map<string, string>();
  /** By endpoint whose interface is gone: so many looks until it is missed. */
  readonly #gone = new Map<string, number>();

  /** @param named endpoints by the names of their interfaces */
  follow(changes: readonly LinkChange[], named: ReadonlyMap<string, EndpointRecord>): void {
    for (const { index, name, gone } of changes) {
      const own = named.get(name);
      const known = this.#endpoints.get(index);
      if (gone) {
        this.#endpoints.delete(index);
        if (known !== undefined) this.#gone.set(known, looksUntilLost);
        if (known !== undefined) this.#renamed.delete(known);
      } else if (own && !this.#isElsewhere(own.id, index)) {
        this.see(own.id, index);
      } else if (known !== undefined) {
        this.#renamed.set(known, name);
      }
    }
  }

  /** An endpoint's interface has its own name. */
  see(endpointId: string, index: number): void {
    this.#endpoints.set(index, endpointId);
    this.#renamed.delete(endpointId);
    this.#gone.delete(endpointId);
  }

  /** The other name of an endpoint's interface; undefined: its own, as far as known. */
  otherName(endpointId: string): string | undefined {
    return this.#renamed.get(endpointId);
  }

  /** After messages were lost. */
  prune(isOnRecord: (endpointId: string) => boolean): void {
    for (const [index, id] of this.#endpoints) if (!isOnRecord(id)) this.#endpoints.delete(index);
    for (const id of this.#renamed.keys()) if (!isOnRecord(id)) this.#renamed.delete(id);
  }

  /** Endpoints on record whose interface is missed from this look on. */
  takeLost(isOnRecord: (endpointId: string) => boolean): string[] {
    const lost: string[] = [];
    for (const [id, looks] of this.#gone) {
      if (looks > 1 && isOnRecord(id)) {
        this.#gone.set(id, looks - 1);
        continue;
      }
      this.#gone.delete(id);
      if (isOnRecord(id)) lost.push(id);
    }
    return lost;
  }

  /** Whether another interface is known as the endpoint's: one of another number has taken the name. */
  #isElsewhere(endpointId: string, index: number): boolean {
    return this.#renamed.has(endpointId) && this.#endpoints.get(index) !== endpointId;
  }
}
