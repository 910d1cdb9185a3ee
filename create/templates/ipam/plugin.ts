import { join } from 'node:path';
import { DurableMap, defineExtension, implement, ipamKind } from '@cleat/sdk';
import { AddressPools } from '@cleat/sdk/addresses';

/** Subnets are blocks of `source`; who has which address is on disk before it is answered. */
export default defineExtension({
  options: {
    root: { default: '/var/lib/my-plugin', help: 'where it remembers who has what' },
    source: { default: '10.215.0.0/16', help: 'from where subnets are taken when nobody names one' },
  },
  start({ options, log, name }) {
    const pools = new AddressPools(new DurableMap(join(options.root, 'addresses'), log));
    const sources = [{ base: options.source, size: 24 }];

    const driver = implement(ipamKind, {
      GetCapabilities: () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
      GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: name, GlobalDefaultAddressSpace: name }),
      RequestPool({ AddressSpace, Pool, SubPool, V6 }) {
        const family = V6 ? 6 : 4;
        const { id, pool } = pools.requestPool({ space: AddressSpace, pool: Pool, subPool: SubPool, family, sources });
        return { PoolID: id, Pool: pool };
      },
      ReleasePool: ({ PoolID }) => pools.releasePool(PoolID),
      // The gateway is asked for like any other address, with the option RequestAddressType.
      RequestAddress: ({ PoolID, Address }) => ({ Address: pools.requestAddress(PoolID, Address) }),
      ReleaseAddress: ({ PoolID, Address }) => pools.releaseAddress(PoolID, Address),
    });
    return { implementations: [driver] };
  },
});
