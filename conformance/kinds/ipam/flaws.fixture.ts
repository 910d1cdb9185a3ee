import { ipamOption } from '@cleat/protocol/kinds/ipam';
import { type Flaw, raceMs } from '../../testing/test-plugin.fixture.js';
import { addressFlaws } from './address-flaws.fixture.js';
import type { HealthyAddresses } from './healthy.fixture.js';

const turn = () => new Promise((resolve) => setTimeout(resolve, raceMs));

/** IPAM plugins that are broken in one way each: at least one for every case. */
export function ipamFlaws(): Flaw<HealthyAddresses>[] {
  /** Requests under way, of the plugin that was killed as well. */
  let writing = 0;

  return [
    {
      finds: 'ipam/address-spaces',
      about: 'has spaces without names',
      handlers: () => ({
        GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: '', GlobalDefaultAddressSpace: '' }),
      }),
    },
    {
      finds: 'ipam/capabilities',
      about: 'has no capabilities, and says so by an error',
      handlers: () => ({
        GetCapabilities() {
          throw new Error('not implemented');
        },
      }),
    },
    {
      finds: 'ipam/pool',
      about: 'answers what it was asked, also when that is nothing',
      handlers: (healthy) => ({
        RequestPool(request, context) {
          if (!request.Pool) return { PoolID: 'any', Pool: '' };
          return healthy.RequestPool(request, context);
        },
      }),
    },
    {
      finds: 'ipam/pool-requested',
      about: 'gives another pool than was asked for',
      handlers: (healthy) => ({
        RequestPool: (request, context) => healthy.RequestPool({ ...request, Pool: '' }, context),
      }),
    },
    {
      finds: 'ipam/pool-again',
      about: 'keeps what is released',
      handlers: () => ({ ReleasePool: () => {} }),
    },
    {
      finds: 'ipam/pools-differ',
      about: 'has one pool for all',
      handlers: () => ({ RequestPool: () => ({ PoolID: 'one', Pool: '10.250.0.0/24' }), ReleasePool: () => {} }),
    },
    {
      finds: 'ipam/pools-overlapping',
      about: 'looks for the same pools, not for overlapping ones',
      handlers: (healthy) => ({
        RequestPool({ Pool: id }) {
          healthy.store(id, { range: id, holder: '', addresses: {} });
          return { PoolID: id, Pool: id };
        },
      }),
    },
    {
      finds: 'ipam/pools-at-once',
      about: 'chooses before it writes',
      handlers: (healthy) => ({
        async RequestPool({ V6 }) {
          const id = healthy.choose(V6, []);
          await turn();
          healthy.store(id, { range: id, holder: '', addresses: {} });
          return { PoolID: id, Pool: id };
        },
        ReleasePool: () => {},
      }),
    },
    {
      finds: 'ipam/sub-pool',
      about: 'does not look at the range',
      handlers: (healthy) => ({
        RequestPool: (request, context) => healthy.RequestPool({ ...request, SubPool: '' }, context),
      }),
    },
    {
      finds: 'ipam/pool-six',
      about: 'gives IPv4 to who asks for IPv6',
      handlers: (healthy) => ({
        RequestPool: (request, context) => healthy.RequestPool({ ...request, Pool: '', V6: false }, context),
      }),
    },
    {
      finds: 'ipam/pool-gateway',
      about: 'names a gateway without its mask',
      handlers: (healthy) => ({
        async RequestPool(request, context) {
          const answer = await healthy.RequestPool(request, context);
          return { PoolID: '', Pool: '', ...answer, Data: { [ipamOption.gatewayType]: '10.250.0.1' } };
        },
      }),
    },
    {
      finds: 'ipam/release-unknown',
      about: 'empties every pool when it does not find one',
      handlers: (healthy) => ({
        ReleasePool(request, context) {
          if (healthy.pools[request.PoolID]) return healthy.ReleasePool(request, context);
          for (const [id, pool] of Object.entries(healthy.pools)) healthy.store(id, { ...pool, addresses: {} });
        },
      }),
    },
    {
      finds: 'ipam/pool-unknown',
      about: 'gives addresses of any pool',
      handlers: () => ({ RequestAddress: () => ({ Address: '10.250.0.2/24' }) }),
    },
    {
      finds: 'ipam/avoids-blocks-in-use',
      about: 'declares what it does not do',
      handlers: (healthy) => ({
        RequestPool: (request, context) => healthy.RequestPool({ ...request, Options: null }, context),
      }),
    },
    {
      finds: 'ipam/crash-keeps-pools',
      about: 'begins anew',
      handlers(healthy) {
        healthy.pools = {};
        return {};
      },
    },
    {
      finds: 'ipam/crash-keeps-addresses',
      about: 'keeps its pools, and forgets what it gave of them',
      handlers(healthy) {
        for (const [id, pool] of Object.entries(healthy.pools)) healthy.store(id, { ...pool, addresses: {} });
        return {};
      },
    },
    {
      finds: 'ipam/replay',
      about: 'empties a pool that is requested again',
      handlers: (healthy) => ({
        RequestPool(request, context) {
          if (healthy.pools[request.Pool] === undefined) return healthy.RequestPool(request, context);
          healthy.store(request.Pool, { range: request.Pool, holder: '', addresses: {} });
          return { PoolID: request.Pool, Pool: request.Pool };
        },
        RequestAddress(request, context) {
          // The replayed address itself is refused, so it stays free.
          if (request.Address) throw new Error('no addresses by hand');
          return healthy.RequestAddress(request, context);
        },
      }),
    },
    {
      finds: 'ipam/networks',
      about: 'cannot do without the network',
      handlers: (healthy) => ({
        RequestPool(request, context) {
          if (request.Options?.[ipamOption.network] === undefined) throw new Error('which network is it for?');
          return healthy.RequestPool(request, context);
        },
      }),
    },
    {
      finds: 'ipam/crash-keeps-releases',
      about: 'writes down what it gives, and not what it gets back',
      handlers(healthy) {
        const free = new Set<string>();
        return {
          RequestAddress(request, context) {
            if (free.delete(request.Address)) return { Address: `${request.Address}/24` };
            return healthy.RequestAddress(request, context);
          },
          ReleaseAddress: ({ Address }) => void free.add(Address),
        };
      },
    },
    {
      finds: 'ipam/crash-in-a-request',
      about: 'empties its file before it writes it',
      handlers(healthy) {
        // The state that it finds after it was killed meanwhile.
        if (writing > 0) healthy.pools = {};
        return {
          async RequestAddress(request, context) {
            writing++;
            await turn();
            writing--;
            return healthy.RequestAddress(request, context);
          },
        };
      },
    },
    ...addressFlaws(),
  ];
}
