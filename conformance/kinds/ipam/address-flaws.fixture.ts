import { parseCidr, sizeOf } from '@cleat/protocol/cidr';
import { ipamOption } from '@cleat/protocol/kinds/ipam';
import { type Flaw, raceMs } from '../../testing/test-plugin.fixture.js';
import type { HealthyAddresses, Pool } from './healthy.fixture.js';

const isGateway = (options: Readonly<Record<string, string>> | null | undefined): boolean =>
  options?.[ipamOption.requestAddressType] !== undefined;

/** IPAM plugins that are broken at RequestAddress or ReleaseAddress. */
export function addressFlaws(): Flaw<HealthyAddresses>[] {
  let count = 0;

  return [
    {
      finds: 'ipam/address',
      about: 'gives addresses of its own network',
      handlers: () => ({ RequestAddress: () => ({ Address: '192.0.2.7/24' }) }),
    },
    {
      finds: 'ipam/address-mask',
      about: 'gives every address a network of its own',
      handlers: (healthy) => ({
        async RequestAddress(request, context) {
          const answer = await healthy.RequestAddress(request, context);
          return { Address: answer?.Address.replace('/24', '/32') ?? '' };
        },
      }),
    },
    {
      finds: 'ipam/address-options-null',
      about: 'needs options',
      handlers: (healthy) => ({
        RequestAddress(request, context) {
          if (!request.Options) throw new Error('invalid memory address or nil pointer dereference');
          return healthy.RequestAddress(request, context);
        },
      }),
    },
    { finds: 'ipam/address-requested', about: 'does not listen to requests', handlers: deaf },
    {
      finds: 'ipam/address-taken',
      about: 'does not write down what is requested',
      handlers: (healthy) => ({
        RequestAddress(request, context) {
          if (request.Address) return { Address: `${request.Address}/24` };
          return healthy.RequestAddress(request, context);
        },
      }),
    },
    {
      finds: 'ipam/address-twice',
      about: 'gives what is requested, no matter who has it',
      handlers: (healthy) => ({
        async RequestAddress(request, context) {
          if (request.Address) await healthy.ReleaseAddress(request, context);
          return healthy.RequestAddress(request, context);
        },
      }),
    },
    {
      finds: 'ipam/address-twice',
      about: 'takes a second request of the same address for a repetition',
      handlers(healthy) {
        const requested = new Set<string>();
        return {
          RequestAddress(request, context) {
            if (request.Address && requested.has(request.Address)) return { Address: `${request.Address}/24` };
            if (request.Address) requested.add(request.Address);
            return healthy.RequestAddress(request, context);
          },
        };
      },
    },
    {
      finds: 'ipam/gateway',
      about: 'has a gateway that it gives to others as well',
      handlers: (healthy) => ({
        RequestAddress(request, context) {
          if (isGateway(request.Options)) return { Address: `${healthy.next(request.PoolID)}/24` };
          return healthy.RequestAddress(request, context);
        },
      }),
    },
    {
      finds: 'ipam/gateway-requested',
      about: 'always has the first address for the gateway',
      handlers: (healthy) => ({
        RequestAddress: (request, context) =>
          healthy.RequestAddress(isGateway(request.Options) ? { ...request, Address: '' } : request, context),
      }),
    },
    {
      finds: 'ipam/addresses-at-once',
      about: 'chooses before it writes',
      handlers: (healthy) => ({
        async RequestAddress({ PoolID }) {
          const address = healthy.next(PoolID);
          await new Promise((resolve) => setTimeout(resolve, raceMs));
          give(healthy, PoolID, address);
          return { Address: `${address}/24` };
        },
      }),
    },
    {
      finds: 'ipam/address-released',
      about: 'keeps what is released',
      handlers: () => ({ ReleaseAddress: () => {} }),
    },
    {
      finds: 'ipam/release-again',
      about: 'empties the pool when it does not find an address',
      handlers: (healthy) => ({
        ReleaseAddress(request, context) {
          const pool = healthy.pool(request.PoolID);
          if (pool.addresses[request.Address] === undefined) healthy.store(request.PoolID, { ...pool, addresses: {} });
          else return healthy.ReleaseAddress(request, context);
        },
      }),
    },
    {
      finds: 'ipam/edges',
      about: 'gives all that there is',
      handlers: (healthy) => ({
        RequestAddress({ PoolID }) {
          const { block } = parseCidr(PoolID);
          if (BigInt(count) >= sizeOf(block)) throw new Error('all are given');
          return { Address: PoolID.replace(/\d+\/\d+$/, (end) => `${Number.parseInt(end, 10) + count++}/29`) };
        },
        ReleaseAddress: () => {},
        ReleasePool: (request, context) => healthy.ReleasePool(request, context),
      }),
    },
    {
      finds: 'ipam/exhausted',
      about: 'has no words when it is exhausted',
      handlers: (healthy) => ({
        async RequestAddress(request, context) {
          try {
            return await healthy.RequestAddress(request, context);
          } catch {
            throw new Error('%!v(PANIC=Error method: index out of range)');
          }
        },
      }),
    },
    {
      finds: 'ipam/two-pools',
      about: 'empties every pool when one is released',
      handlers: (healthy) => ({
        async ReleasePool(request, context) {
          await healthy.ReleasePool(request, context);
          for (const [id, pool] of Object.entries(healthy.pools)) healthy.store(id, { ...pool, addresses: {} });
        },
      }),
    },
    {
      finds: 'ipam/holders',
      about: 'frees everybody’s when a holder is named',
      handlers: (healthy) => ({
        ReleaseAddress(request, context) {
          if (request.Address) return healthy.ReleaseAddress(request, context);
          const pool: Pool = healthy.pool(request.PoolID);
          healthy.store(request.PoolID, { ...pool, addresses: {} });
        },
      }),
    },
  ];
}

function deaf(healthy: HealthyAddresses): Partial<HealthyAddresses> {
  return { RequestAddress: (request, context) => healthy.RequestAddress({ ...request, Address: '' }, context) };
}

function give(healthy: HealthyAddresses, id: string, address: string): void {
  const pool = healthy.pool(id);
  healthy.store(id, { ...pool, addresses: { ...pool.addresses, [address]: '' } });
}
