import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Block, contains, formatBlock, overlaps, parseCidr } from '@cleat/protocol/cidr';
import { forbidden, invalidParameter } from '@cleat/protocol/errors';
import type { ipamKind } from '@cleat/protocol/kinds/ipam';
import { ipamOption } from '@cleat/protocol/kinds/ipam';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk/state';
import { type AddressPool, chooseBlock, dockerPools } from './choose.js';
import { Pool, requirePool, type StoredPool } from './pool.js';

/** Its pool and, since holders are known, its holder. */
type StoredAddress = string | { pool: string; holder: string };

export interface IpamOptions {
  /** Where the pools are kept, so that a killed process knows what it gave away. */
  stateDir: string;
  /** From which pools are chosen; empty: Docker's defaults, plus a unique local block for IPv6. */
  pools: readonly AddressPool[];
  log: Logger;
}

const spaces = ['LocalDefault', 'GlobalDefault'] as const;

/** Docker's IPAM protocol over pools in memory, each written through to its file. */
export function createIpam({ stateDir, pools: configured, log }: IpamOptions): Handlers<typeof ipamKind> {
  const stored = new DurableMap<StoredPool | StoredAddress>(join(stateDir, 'pools.journal'), log);
  const pools = load(stored);
  const save = (pool: Pool) => stored.set(pool.id, pool.toJSON());
  const release = (pool: Pool, address: string) => {
    pool.release(address);
    stored.delete(addressKey(pool.id, address));
  };
  const releasePool = (pool: Pool) => {
    pools.delete(pool.id);
    for (const address of pool.addresses()) stored.delete(addressKey(pool.id, address));
    stored.delete(pool.id);
  };
  const addressKey = (poolId: string, address: string) => `${poolId} ${address.split('/')[0]}`;

  return {
    GetCapabilities: () => ({
      RequiresMACAddress: false,
      RequiresRequestReplay: false,
      AvoidsBlocksInUse: true,
      KnowsHolders: true,
    }),
    GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: spaces[0], GlobalDefaultAddressSpace: spaces[1] }),

    RequestPool({ AddressSpace, Pool: wished, SubPool, Options, V6 }) {
      if (!spaces.some((space) => space === AddressSpace)) throw invalidParameter('invalid address space');
      if (SubPool && !wished) throw invalidParameter('invalid address subpool: a pool must be given, too');
      const occupied = [...pools.values()].map(({ block }) => block);
      const block = wished
        ? explicit(wished, SubPool, occupied)
        : chooseBlock(choices(configured, V6), [...occupied, ...readBlocks(Options?.[ipamOption.inUse])], V6 ? 6 : 4);
      const cidr = formatBlock(block);
      const fresh: StoredPool = {
        v: 1,
        id: SubPool ? `${AddressSpace}/${cidr}/${SubPool}` : `${AddressSpace}/${cidr}`,
        pool: cidr,
        subPool: SubPool ? formatBlock(parseCidr(SubPool).block) : '',
        last: '',
        holder: holderIn(Options),
      };
      const pool = new Pool(fresh);
      save(pool);
      pools.set(pool.id, pool);
      return { PoolID: pool.id, Pool: cidr, Data: {} };
    },

    ReleasePool({ PoolID, Options }) {
      if (PoolID) return releasePool(requirePool(pools, PoolID));
      const holder = requireHolder(Options);
      for (const pool of [...pools.values()]) if (pool.holder === holder) releasePool(pool);
    },

    RequestAddress({ PoolID, Address, Options }) {
      const pool = requirePool(pools, PoolID);
      const holder = holderIn(Options);
      const cidr = pool.take(Address, holder);
      stored.set(addressKey(PoolID, cidr), { pool: PoolID, holder });
      // Only the choice of the next one depends on it.
      if (!Address) save(pool);
      return { Address: cidr, Data: {} };
    },

    ReleaseAddress({ PoolID, Address, Options }) {
      const pool = requirePool(pools, PoolID);
      for (const address of Address ? [Address] : pool.heldBy(requireHolder(Options))) release(pool, address);
    },
  };
}

const holderIn = (options: Readonly<Record<string, string>> | null | undefined): string =>
  options?.[ipamOption.holder] ?? '';

/** @throws InvalidParameter: what nobody holds by name is not given back by the dozen */
function requireHolder(options: Readonly<Record<string, string>> | null | undefined): string {
  const holder = holderIn(options);
  if (!holder) throw invalidParameter('neither what is to be released is named, nor who holds it');
  return holder;
}

/** Keys are a pool's ID, with the pool, or that and an address, with {@link StoredAddress}. */
function load(stored: DurableMap<StoredPool | StoredAddress>): Map<string, Pool> {
  const pools = new Map<string, Pool>();
  for (const [key, value] of stored.entries()) {
    if (typeof value !== 'string' && 'id' in value) pools.set(key, new Pool(value));
  }
  for (const [key, value] of stored.entries()) {
    if (typeof value !== 'string' && 'id' in value) continue;
    const { pool, holder } = typeof value === 'string' ? { pool: value, holder: '' } : value;
    pools.get(pool)?.take(key.slice(pool.length + 1), holder, 'kept');
  }
  return pools;
}

function explicit(wished: string, subPool: string, occupied: readonly Block[]): Block {
  const { block } = parseCidr(wished);
  if (subPool) {
    const sub = parseCidr(subPool).block;
    if (!contains(block, sub) || sub.prefix < block.prefix) throw invalidParameter('invalid address subpool');
  }
  if (occupied.some((other) => overlaps(block, other))) {
    throw forbidden('Pool overlaps with other one on this address space');
  }
  return block;
}

/** IPv6 without a configured pool: a unique local /48 of this host's own (RFC 4193), split into /64. */
function choices(configured: readonly AddressPool[], six: boolean): readonly AddressPool[] {
  const isSix = ({ base }: AddressPool) => base.includes(':');
  const own = configured.filter((pool) => isSix(pool) === six);
  if (own.length > 0) return own;
  return six ? [uniqueLocalPool()] : dockerPools;
}

function uniqueLocalPool(): AddressPool {
  const hash = createHash('sha256').update(machineId()).digest('hex');
  return { base: `fd${hash.slice(0, 2)}:${hash.slice(2, 6)}:${hash.slice(6, 10)}::/48`, size: 64 };
}

function readBlocks(list: string | undefined): Block[] {
  return (list ?? '')
    .split(',')
    .filter(Boolean)
    .map((cidr) => parseCidr(cidr).block);
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8');
  } catch {
    // A host without one: the name is the next best that does not change.
    return hostname();
  }
}
