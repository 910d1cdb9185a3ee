import {
  type Address,
  type Block,
  contains,
  formatAddress,
  formatBlock,
  lastOf,
  parseAddress,
  parseCidr,
} from '@cleat/protocol/cidr';
import { forbidden, invalidParameter, unavailable } from '@cleat/protocol/errors';

/** A pool as it is kept, without its addresses. */
export interface StoredPool {
  v: 1;
  /** By which an engine names it. */
  id: string;
  /** CIDR */
  pool: string;
  /** CIDR of the part from which addresses are chosen, or empty. */
  subPool: string;
  /** For whom it is; empty: nobody said. */
  holder?: string;
}

/**
 * The addresses of one pool. The next address is the lowest that is free, as Docker's own driver chooses it: a
 * container that is restarted alone has the same address again.
 * @example
 * const pool = new Pool({ v: 1, id: 'a', pool: '10.1.0.0/24', subPool: '' });
 * pool.take('10.1.0.1', ''); // '10.1.0.1/24', for the gateway
 * pool.take('', endpoint); // '10.1.0.2/24'
 */
export class Pool {
  readonly id: string;
  readonly block: Block;
  readonly holder: string;
  readonly #range: Block;
  /** With the holder of each. */
  readonly #taken = new Map<bigint, string>();

  constructor(stored: StoredPool) {
    this.id = stored.id;
    this.block = parseCidr(stored.pool).block;
    this.holder = stored.holder ?? '';
    this.#range = stored.subPool ? parseCidr(stored.subPool).block : this.block;
  }

  toJSON(): StoredPool {
    return {
      v: 1,
      id: this.id,
      pool: formatBlock(this.block),
      subPool: this.#range === this.block ? '' : formatBlock(this.#range),
      ...(this.holder ? { holder: this.holder } : {}),
    };
  }

  /** All that are taken, without prefix. */
  addresses(): string[] {
    return [...this.#taken.keys()].map((value) => this.#text(value));
  }

  /** The holder of that address: empty when nobody said; undefined when it is free. */
  holderOf(address: string): string | undefined {
    return this.#taken.get(parseAddress(address).value);
  }

  /** Those of one holder, without prefix. */
  heldBy(holder: string): string[] {
    return [...this.#taken].filter(([, of]) => of === holder).map(([value]) => this.#text(value));
  }

  /**
   * Takes an address. @param requested one in the pool, inside or outside the sub-pool; empty: the next free one
   * @param holder for whom; may be empty
   * @param kept it was taken before this process started, so it is not checked again
   * @returns as CIDR with the pool's prefix
   * @throws InvalidParameter out of range, Forbidden `Address already in use`, Unavailable when none is left
   */
  take(requested: string, holder: string, kept?: 'kept'): string {
    const value = kept
      ? parseAddress(requested).value
      : requested
        ? this.#check(parseAddress(requested))
        : this.#next();
    this.#taken.set(value, holder);
    return `${this.#text(value)}/${this.block.prefix}`;
  }

  /** Gives an address back; one that is free already is fine. */
  release(address: string): void {
    this.#taken.delete(parseAddress(address).value);
  }

  #text(value: bigint): string {
    return formatAddress({ family: this.block.family, value });
  }

  #check(address: Address): bigint {
    if (!contains(this.block, address)) throw invalidParameter('requested address is out of range');
    if (this.#taken.has(address.value) || this.#reserved(address.value)) throw forbidden('Address already in use');
    return address.value;
  }

  /** Taken ones are few, so this ends after at most that many steps. */
  #next(): bigint {
    const last = lastOf(this.#range).value;
    for (let value = this.#range.value; value <= last; value++) {
      if (!this.#taken.has(value) && !this.#reserved(value)) return value;
    }
    throw unavailable('no available addresses on this pool');
  }

  /** Network and broadcast address (IPv4), or the routers' anycast address (IPv6); small blocks have none to spare. */
  #reserved(value: bigint): boolean {
    const four = this.block.family === 4;
    if (this.block.prefix >= (four ? 31 : 127)) return false;
    return value === this.block.value || (four && value === lastOf(this.block).value);
  }
}
