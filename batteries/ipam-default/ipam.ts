import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Block, contains, formatBlock, overlaps, parseCidr } from '@cleat/linux/net/cidr';
import { forbidden, invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { ipamKind } from '@cleat/protocol/kinds/ipam';
import { ipamOption } from '@cleat/protocol/kinds/ipam';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { type AddressPool, chooseBlock, dockerPools } from './choose.js';
import { Pool, requirePool, type StoredPool } from './pool.js';

export interface IpamOptions {
  /** One small file per pool, so that a killed process knows what it gave away. */
  stateDir: string;
  /** From which pools are chosen; empty: Docker's defaults, plus a unique local block for IPv6. */
  pools: readonly AddressPool[];
  log: Logger;
}

const spaces = ['LocalDefault', 'GlobalDefault'] as const;

/** Docker's IPAM protocol over pools in memory, each written through to its file. */
export function createIpam({ stateDir, pools: configured, log }: IpamOptions): Handlers<typeof ipamKind> {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const pools = load(stateDir, log);
  const fileOf = (pool: Pool) => join(stateDir, `${pool.id.replaceAll('/', '_').replaceAll(':', '-')}.json`);
  // No fsync: the page cache survives a kill, and after a power cut no container holds an address.
  const save = (pool: Pool) => {
    writeFileSync(`${fileOf(pool)}.new`, JSON.stringify(pool), { mode: 0o600 });
    renameSync(`${fileOf(pool)}.new`, fileOf(pool));
  };

  return {
    GetCapabilities: () => ({ RequiresMACAddress: false, RequiresRequestReplay: false, AvoidsBlocksInUse: true }),
    GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: spaces[0], GlobalDefaultAddressSpace: spaces[1] }),

    RequestPool({ AddressSpace, Pool: wished, SubPool, Options, V6 }) {
      if (!spaces.some((space) => space === AddressSpace)) throw invalidParameter('invalid address space');
      if (SubPool && !wished) throw invalidParameter('invalid address subpool: a pool must be given, too');
      const occupied = [...pools.values()].map(({ block }) => block);
      const block = wished
        ? explicit(wished, SubPool, occupied)
        : chooseBlock(choices(configured, V6), [...occupied, ...readBlocks(Options?.[ipamOption.inUse])], V6 ? 6 : 4);
      const cidr = formatBlock(block);
      const stored: StoredPool = {
        v: 1,
        id: SubPool ? `${AddressSpace}/${cidr}/${SubPool}` : `${AddressSpace}/${cidr}`,
        pool: cidr,
        subPool: SubPool ? formatBlock(parseCidr(SubPool).block) : '',
        last: '',
        taken: [],
      };
      const pool = new Pool(stored);
      save(pool);
      pools.set(pool.id, pool);
      return { PoolID: pool.id, Pool: cidr, Data: {} };
    },

    ReleasePool({ PoolID }) {
      const pool = requirePool(pools, PoolID);
      pools.delete(PoolID);
      rmSync(fileOf(pool), { force: true });
    },

    RequestAddress({ PoolID, Address }) {
      const pool = requirePool(pools, PoolID);
      const cidr = pool.take(Address);
      save(pool);
      return { Address: cidr, Data: {} };
    },

    ReleaseAddress({ PoolID, Address }) {
      const pool = requirePool(pools, PoolID);
      pool.release(Address);
      save(pool);
    },
  };
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

function load(directory: string, log: Logger): Map<string, Pool> {
  const pools = new Map<string, Pool>();
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.json'))) {
    try {
      const pool = new Pool(JSON.parse(readFileSync(join(directory, file), 'utf8')));
      pools.set(pool.id, pool);
    } catch (error) {
      log.error('an address pool could not be read; the engine will ask for its addresses anew', {
        file,
        error: messageOf(error),
      });
    }
  }
  return pools;
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8');
  } catch {
    // A host without one: the name is the next best that does not change.
    return hostname();
  }
}
