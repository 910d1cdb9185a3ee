import { implement, ipamKind } from '@cleat/sdk';
import { of, type Script } from '../../recording/script-of-kind.fixture.js';

/** Makes things anew each time; IDs are the engine's. */
export const script: Script = {
  module: () => {
    const PoolID = `pool ${Math.random()}`;
    const check = (given: string) => {
      if (given !== PoolID) throw new Error(`no pool ${given}`);
    };
    return of(
      implement(ipamKind, {
        GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: 'l', GlobalDefaultAddressSpace: 'g' }),
        RequestPool: ({ Pool }) => ({ PoolID, Pool }),
        ReleasePool: (request) => check(request.PoolID),
        RequestAddress: (request) => {
          check(request.PoolID);
          return { Address: '10.0.0.2/24' };
        },
        ReleaseAddress: (request) => check(request.PoolID),
      }),
    );
  },
  asks: () => [
    ['GetDefaultAddressSpaces', {}],
    ['RequestPool', { AddressSpace: 'l', Pool: '10.0.0.0/24', SubPool: '', V6: false }],
    ['RequestAddress', { PoolID: '<pool>', Address: '' }],
    ['ReleaseAddress', { PoolID: '<pool>', Address: '10.0.0.2' }],
    ['ReleasePool', { PoolID: '<pool>' }],
  ],
};
