import { type ScriptedKind, type Surroundings, text } from './kind.js';

const gateway = 'com.docker.network.gateway';
/** Pools are `BASE.N.0/24` with N from here on. */
const firstPool = 64;
const lastPool = 127;

/** Subnets of 256 addresses below `option` (`10.1`). Open in its account: pools and addresses. */
export function ipamKind({ account, option: base }: Surroundings): ScriptedKind {
  const poolKey = (pool: string) => `pool ${pool}`;
  const addressKey = (pool: string, address: string) => `address ${pool} ${address}`;
  const freePool = (): string => {
    for (let third = firstPool; third <= lastPool; third++) {
      if (!account.has(poolKey(`${base}.${third}.0/24`))) return `${base}.${third}.0/24`;
    }
    throw new Error('no more pools');
  };
  return {
    capability: 'IpamDriver',
    errorKey: 'Error',
    allocates: {
      'IpamDriver.RequestPool': ({ PoolID }) => account.end(poolKey(String(PoolID))),
      'IpamDriver.RequestAddress': ({ Address }, request) =>
        account.end(addressKey(text(request, 'PoolID'), String(Address).split('/')[0] ?? '')),
    },
    methods: {
      'IpamDriver.GetCapabilities': () => ({}),
      'IpamDriver.GetDefaultAddressSpaces': () => ({
        LocalDefaultAddressSpace: 'here',
        GlobalDefaultAddressSpace: 'everywhere',
      }),
      'IpamDriver.RequestPool': (request) => {
        const pool = text(request, 'Pool') || freePool();
        if (account.has(poolKey(pool))) throw new Error(`pool ${pool} overlaps with another one`);
        account.begin(poolKey(pool));
        return { PoolID: pool, Pool: pool, Data: {} };
      },
      'IpamDriver.ReleasePool': (request) => {
        const pool = text(request, 'PoolID');
        const left = account.keys(`address ${pool} `);
        // A network's own address goes with it.
        for (const address of left) {
          if (account.note(address) !== 'gateway') account.problem(`ReleasePool of ${pool} with ${address}`, address);
          account.end(address);
        }
        account.end(poolKey(pool));
        return {};
      },
      'IpamDriver.RequestAddress': (request) => {
        const pool = text(request, 'PoolID');
        if (!account.has(poolKey(pool))) throw new Error(`cannot find address pool ${pool}`);
        const options = (request.Options ?? {}) as Record<string, string>;
        const isGateway = options.RequestAddressType === gateway;
        const address = text(request, 'Address') || freeAddress(pool, isGateway);
        if (account.has(addressKey(pool, address))) throw new Error(`address ${address} is already in use`);
        account.begin(addressKey(pool, address), isGateway ? 'gateway' : '');
        return { Address: `${address}/24`, Data: {} };
      },
      'IpamDriver.ReleaseAddress': (request) => {
        account.end(addressKey(text(request, 'PoolID'), text(request, 'Address')));
        return {};
      },
    },
  };

  function freeAddress(pool: string, isGateway: boolean): string {
    const network = pool.slice(0, pool.lastIndexOf('.'));
    for (let last = isGateway ? 1 : 2; last < 255; last++) {
      if (!account.has(addressKey(pool, `${network}.${last}`))) return `${network}.${last}`;
    }
    throw new Error(`no available addresses in ${pool}`);
  }
}
