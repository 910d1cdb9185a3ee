import { CleatError, invalidParameter, notFound } from '@cleat/protocol/errors';
import type { NetworkId } from '../ids.js';
import type { Collection } from '../store/service.js';
import type { NetworkRecord } from './record.js';

/** The networks that there are, in memory and in the store. */
export class NetworkRegistry {
  readonly #stored: Collection<NetworkRecord>;
  readonly #byId = new Map<NetworkId, NetworkRecord>();
  readonly #absent = new Map<string, CleatError>();
  #revision = 0;

  constructor(stored: Collection<NetworkRecord>) {
    this.#stored = stored;
    for (const [, record] of stored.entries()) this.#byId.set(record.id, record);
  }

  /** Changes whenever a network may have. */
  get revision(): number {
    return this.#revision;
  }

  all(): NetworkRecord[] {
    return [...this.#byId.values()];
  }

  byId(id: NetworkId): NetworkRecord | undefined {
    return this.#byId.get(id);
  }

  byName(name: string): NetworkRecord | undefined {
    return this.all().find((network) => network.name === name);
  }

  put(network: NetworkRecord): void {
    this.#revision++;
    this.#stored.put(network.id, network);
    this.#byId.set(network.id, network);
    this.#absent.delete(network.name);
  }

  /** A network that should be there and is not; a caller that asks for it learns why. */
  missing(name: string, why: CleatError): void {
    this.#absent.set(name, why);
  }

  delete(id: NetworkId): void {
    this.#revision++;
    this.#stored.delete(id);
    this.#byId.delete(id);
  }

  /** As {@link find}; undefined where that one throws. */
  lookUp(ref: string): NetworkRecord | undefined {
    const [only, ...others] = this.#matching(ref);
    return others.length > 0 ? undefined : only;
  }

  /** By full ID, name or ID prefix, in this order. */
  #matching(ref: string): NetworkRecord[] {
    // The one place where what somebody wrote is tried as an ID.
    const exact = this.#byId.get(ref as NetworkId) ?? this.byName(ref);
    if (exact) return [exact];
    return ref ? this.all().filter(({ id }) => id.startsWith(ref)) : [];
  }

  /**
   * By full ID, name or ID prefix, in this order.
   * @throws NotFound, or Unavailable when its driver is; InvalidParameter when ambiguous
   */
  find(ref: string): NetworkRecord {
    const matches = this.#matching(ref);
    const [only] = matches;
    if (!only) throw this.#notFound(ref);
    if (matches.length === 1) return only;
    throw invalidParameter(`network ${ref} is ambiguous (${matches.length} matches found based on ID prefix)`);
  }

  #notFound(ref: string): CleatError {
    const why = this.#absent.get(ref);
    if (!why) return notFound(`network ${ref} not found`);
    return new CleatError(why.class, `network ${ref} not found: ${why.message}`, { cause: why });
  }
}
