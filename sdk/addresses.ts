/** Write an IPAM driver: which subnet a network gets, and which address a container, over whatever you keep it in. */
export {
  type Address,
  type Block,
  blockOf,
  contains,
  formatAddress,
  formatBlock,
  lastOf,
  overlaps,
  parseAddress,
  parseCidr,
  sizeOf,
  tryParseAddress,
} from '@cleat/protocol/cidr';
export { AddressPools, type AddressState, type PoolRequest, type StoredAddress } from './addresses/address-pools.js';
export { type AddressPool, chooseBlock, dockerPools, readPools, uniqueLocalPool } from './addresses/choose.js';
export { Pool, type StoredPool } from './addresses/pool.js';
