import type { HostState } from '@cleat/linux/net/facts';
import type { NetworkRecord } from './state.js';

/** Whether somebody deleted the bridge, set it down, or took an address from it. */
export function isDamaged({ bridge, gateways }: NetworkRecord, host: HostState): boolean {
  return !host.has(bridge) || gateways.some((gateway) => !host.serves(bridge, gateway));
}
