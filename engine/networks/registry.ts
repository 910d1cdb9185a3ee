import { CleatError, invalidParameter, notFound } from '@cleat/protocol/errors';
import type { Collection } from '../store/service.js';
import type { NetworkRecord } from './record.js';

/** The networks that there are, in memory and in the store. */
export class NetworkRegistry {
  readonly #stored: Collection<NetworkRecord>;
  readonly #byId = new Map<string, NetworkRecord>();
  readonly #absent = new Map<string, CleatError>();
  #revision = 0;

  constructor(stored: Collection<NetworkRecord>) {
    this.#stored = stored;
    for (const [id, record] of stored.entries()) this.#byId.set(id, record);
  }

  /** Changes whenever a network may have. */
  get revision(): number {
    return this.#revision;
  }

  all(): NetworkRecord[] {
    return [...this.#byId.values()];
  }

  byId(id: string): NetworkRecord | undefined {
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

  /** A network that should be there and is not; whoever asks for it learns why. */
  missing(name: string, why: CleatError): void {
    this.#absent.set(name, why);
  }

  delete(id: string): void {
    this.#revision++;
    this.#stored.delete(id);
    this.#byId.delete(id);
  }

  /**
   * By full ID, name or ID prefix, in this order.
   * @throws NotFound, or Unavailable when its driver is; InvalidParameter when ambiguous
   */
  find(ref: string): NetworkRecord {
    const exact = this.#byId.get(ref) ?? this.byName(ref);
    if (exact) return exact;
    const matches = ref ? this.all().filter(({ id }) => id.startsWith(ref)) : [];
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
