import { invalidParameter } from '@cleat/protocol/errors';
import type { ipamKind } from '@cleat/protocol/kinds/ipam';
import type { Handlers } from '@cleat/protocol/kinds/kind';

const space = 'null';
/** By the ID that stands for each: everything, and nothing of it is given. */
const everything = ['0.0.0.0/0', '::/0'] as const;
const idOf = (pool: string): string => `${space}/${pool}`;

/** Libnetwork's IPAM driver `null` (moby `daemon/libnetwork/ipams/null`), with its names and words. */
export const nullDriver: Handlers<typeof ipamKind> = {
  GetCapabilities: () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
  GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: space, GlobalDefaultAddressSpace: space }),

  RequestPool({ AddressSpace, Pool, SubPool, V6 }) {
    if (AddressSpace !== space) throw invalidParameter(`unknown address space: ${AddressSpace}`);
    if (Pool) throw invalidParameter('null ipam driver does not handle specific address pool requests');
    if (SubPool) throw invalidParameter('null ipam driver does not handle specific address subpool requests');
    const pool = everything[V6 ? 1 : 0];
    return { PoolID: idOf(pool), Pool: pool, Data: {} };
  },

  ReleasePool: () => {},

  RequestAddress({ PoolID, Address }) {
    requireKnown(PoolID);
    // Moby's takes the wish and does not grant it.
    if (Address) throw invalidParameter('null ipam driver does not handle specific address requests');
    return { Address: '', Data: {} };
  },

  ReleaseAddress: ({ PoolID }) => requireKnown(PoolID),
};

function requireKnown(id: string): void {
  if (!everything.some((pool) => idOf(pool) === id)) throw invalidParameter(`unknown pool id: ${id}`);
}
