import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { invalidParameter } from '@cleat/protocol/errors';
import { type ipamKind, ipamOption } from '@cleat/protocol/kinds/ipam';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk';
import {
  type AddressPool,
  AddressPools,
  dockerPools,
  type StoredAddress,
  type StoredPool,
  uniqueLocalPool,
} from '@cleat/sdk/addresses';
import type { IpamOptions } from './options.js';

const spaces = ['LocalDefault', 'GlobalDefault'] as const;

type OptionMap = Readonly<Record<string, string>> | null | undefined;

/** Docker's IPAM protocol over pools in memory, each written through to its file. */
export function createDriver({ stateDir, pools: configured }: IpamOptions, log: Logger): Handlers<typeof ipamKind> {
  const pools = new AddressPools(new DurableMap<StoredPool | StoredAddress>(join(stateDir, 'pools.journal'), log));
  return {
    GetCapabilities: () => ({
      RequiresMACAddress: false,
      RequiresRequestReplay: false,
      AvoidsBlocksInUse: true,
      KnowsHolders: true,
    }),
    GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: spaces[0], GlobalDefaultAddressSpace: spaces[1] }),

    RequestPool({ AddressSpace, Pool, SubPool, Options, V6 }) {
      if (!spaces.some((space) => space === AddressSpace)) throw invalidParameter('invalid address space');
      const { id, pool } = pools.requestPool({
        space: AddressSpace,
        pool: Pool,
        subPool: SubPool,
        family: V6 ? 6 : 4,
        sources: choices(configured, V6),
        inUse: (Options?.[ipamOption.inUse] ?? '').split(',').filter(Boolean),
        holder: holderIn(Options),
      });
      return { PoolID: id, Pool: pool, Data: {} };
    },

    ReleasePool({ PoolID, Options }) {
      if (PoolID) pools.releasePool(PoolID);
      else pools.releasePoolsOf(requireHolder(Options));
    },

    RequestAddress: ({ PoolID, Address, Options }) => ({
      Address: pools.requestAddress(PoolID, Address, holderIn(Options)),
      Data: {},
    }),

    ReleaseAddress({ PoolID, Address, Options }) {
      if (Address) pools.releaseAddress(PoolID, Address);
      else pools.releaseAddressesOf(PoolID, requireHolder(Options));
    },
  };
}

const holderIn = (options: OptionMap): string => options?.[ipamOption.holder] ?? '';

/** @throws InvalidParameter: what nobody holds by name is not given back by the dozen */
function requireHolder(options: OptionMap): string {
  const holder = holderIn(options);
  if (!holder) throw invalidParameter('neither what is to be released is named, nor who holds it');
  return holder;
}

/** IPv6 without a configured pool: a block of this host's own. */
function choices(configured: readonly AddressPool[], six: boolean): readonly AddressPool[] {
  const isSix = ({ base }: AddressPool) => base.includes(':');
  const own = configured.filter((pool) => isSix(pool) === six);
  if (own.length > 0) return own;
  return six ? [uniqueLocalPool(machineId())] : dockerPools;
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8');
  } catch {
    // A host without one: the name is the next best that does not change.
    return hostname();
  }
}
