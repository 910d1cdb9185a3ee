import { type Block, contains, formatBlock, overlaps, parseCidr } from '@cleat/protocol/cidr';
import { forbidden, invalidParameter, notFound } from '@cleat/protocol/errors';
import { type AddressPool, chooseBlock } from './choose.js';
import { Pool, type StoredPool } from './pool.js';

/** Its pool and, since holders are known, its holder. */
export type StoredAddress = string | { pool: string; holder: string };

/**
 * Where pools and addresses are kept; a `DurableMap` is one, a `Map` another. Keys are a pool's ID, with the pool, or
 * that, a blank and an address.
 */
export interface AddressState {
  entries(): Iterable<readonly [key: string, value: StoredPool | StoredAddress]>;
  set(key: string, value: StoredPool | StoredAddress): unknown;
  delete(key: string): unknown;
}

/** A pool that is asked for. */
export interface PoolRequest {
  /** Pools of one space do not overlap; the ID begins with it. */
  space: string;
  /** CIDR, or empty: the first free block of `sources`. */
  pool?: string;
  /** CIDR of the part from which addresses are chosen, or empty; only with `pool`. */
  subPool?: string;
  /** Address family of the block that is chosen. */
  family: 4 | 6;
  sources: readonly AddressPool[];
  /** Blocks that others use on this host, as CIDR: no block that overlaps one is chosen. */
  inUse?: readonly string[];
  /** For whom: an engine that was killed can give it back without its name. May be empty. */
  holder?: string;
}

/**
 * Which subnets and addresses are given to whom: the whole of an IPAM driver but its messages. Each change is in the
 * state before it is answered, so that a process that is killed forgets nothing.
 * @example
 * const pools = new AddressPools(new DurableMap('/var/lib/mine/pools.journal', log));
 * const { id } = pools.requestPool({ space: 'local', family: 4, sources: dockerPools });
 * pools.requestAddress(id, '', endpoint); // '172.17.0.1/16'
 */
export class AddressPools {
  readonly #state: AddressState;
  readonly #pools: Map<string, Pool>;

  constructor(state: AddressState) {
    this.#state = state;
    this.#pools = load(state);
  }

  /**
   * @throws InvalidParameter for what is no CIDR, and when no block is left; Forbidden when it overlaps another pool,
   * in Docker's words
   */
  requestPool(request: PoolRequest): StoredPool {
    const { space, pool: requested = '', subPool = '', family, sources, inUse = [], holder = '' } = request;
    if (subPool && !requested) throw invalidParameter('invalid address subpool: a pool must be given, too');
    const occupied = [...this.#pools.values()].map(({ block }) => block);
    const block = requested
      ? explicit(requested, subPool, occupied)
      : chooseBlock(sources, [...occupied, ...inUse.map((cidr) => parseCidr(cidr).block)], family);
    const cidr = formatBlock(block);
    const pool = new Pool({
      v: 1,
      // As Docker's own driver names them.
      id: subPool ? `${space}/${cidr}/${subPool}` : `${space}/${cidr}`,
      pool: cidr,
      subPool: subPool ? formatBlock(parseCidr(subPool).block) : '',
      holder,
    });
    this.#state.set(pool.id, pool.toJSON());
    this.#pools.set(pool.id, pool);
    return pool.toJSON();
  }

  /** With all its addresses. @throws NotFound */
  releasePool(id: string): void {
    const pool = this.#require(id);
    // The pool last: addresses without one would belong to the next pool of that ID.
    for (const address of pool.addresses()) this.releaseAddress(id, address);
    this.#state.delete(id);
    this.#pools.delete(id);
  }

  /** All pools of that holder. */
  releasePoolsOf(holder: string): void {
    for (const pool of [...this.#pools.values()]) if (pool.holder === holder) this.releasePool(pool.id);
  }

  /**
   * @param requested an address of the pool, or empty: the next free one
   * @returns as CIDR with the pool's prefix
   * @throws NotFound without such a pool; InvalidParameter out of range; Forbidden when it is taken; Unavailable when
   * none is left
   */
  requestAddress(poolId: string, requested: string, holder = ''): string {
    const pool = this.#require(poolId);
    const cidr = pool.take(requested, holder);
    try {
      this.#state.set(addressKey(poolId, cidr), { pool: poolId, holder });
    } catch (error) {
      pool.release(withoutPrefix(cidr));
      throw error;
    }
    return cidr;
  }

  /** It does no harm if the address is free already. @throws NotFound without such a pool */
  releaseAddress(poolId: string, address: string): void {
    const pool = this.#require(poolId);
    this.#state.delete(addressKey(poolId, address));
    pool.release(withoutPrefix(address));
  }

  /** All addresses of that holder in a pool. @throws NotFound without such a pool */
  releaseAddressesOf(poolId: string, holder: string): void {
    for (const address of this.#require(poolId).heldBy(holder)) this.releaseAddress(poolId, address);
  }

  #require(id: string): Pool {
    const pool = this.#pools.get(id);
    if (!pool) throw notFound(`cannot find address pool for poolID:${id}`);
    return pool;
  }
}

const withoutPrefix = (address: string): string => address.replace(/\/.*$/, '');
const addressKey = (poolId: string, address: string): string => `${poolId} ${withoutPrefix(address)}`;
const isPool = (value: StoredPool | StoredAddress): value is StoredPool => typeof value !== 'string' && 'id' in value;

function load(state: AddressState): Map<string, Pool> {
  const pools = new Map<string, Pool>();
  for (const [key, value] of state.entries()) if (isPool(value)) pools.set(key, new Pool(value));
  for (const [key, value] of state.entries()) {
    if (isPool(value)) continue;
    const { pool, holder } = typeof value === 'string' ? { pool: value, holder: '' } : value;
    pools.get(pool)?.take(key.slice(pool.length + 1), holder, 'kept');
  }
  return pools;
}

function explicit(requested: string, subPool: string, occupied: readonly Block[]): Block {
  const { block } = parseCidr(requested);
  if (subPool) {
    const sub = parseCidr(subPool).block;
    if (!contains(block, sub) || sub.prefix < block.prefix) throw invalidParameter('invalid address subpool');
  }
  if (occupied.some((other) => overlaps(block, other))) {
    throw forbidden('Pool overlaps with other one on this address space');
  }
  return block;
}
