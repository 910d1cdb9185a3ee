import type { HostState } from '@cleat/linux/net/facts';
import { bridgeAddresses } from './device.js';
import { deviceAddresses } from './modes.js';
import type { NetworkRecord } from './state.js';

/**
 * Whether somebody deleted the bridge, set it down, or took an address from it. Whether a bridge that is not ours is
 * there and up is its owner's business: only an address that we gave it is missed there.
 * @param isUp asks the kernel, which costs more than looking at the addresses
 */
export function isDamaged(network: NetworkRecord, host: HostState, isUp: (bridge: string) => boolean): boolean {
  const { bridge, owned } = network;
  if (!host.has(bridge)) return owned;
  const addresses = owned ? bridgeAddresses(network) : deviceAddresses(network);
  const misses = addresses.some((address) => !host.serves(bridge, address));
  if (!owned) return misses && isUp(bridge);
  // A bridge that serves an address is up.
  return misses || (addresses.length === 0 && !isUp(bridge));
}
