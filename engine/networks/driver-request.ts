import { type IpamData, netlabel } from '@cleat/protocol/kinds/network';
import type { NetworkRecord, PoolRecord } from './record.js';

/** The request of CreateNetwork, the first time and when a driver has to be told again. */
export function networkRequest(network: NetworkRecord) {
  return {
    NetworkID: network.id,
    Options: {
      [netlabel.generic]: network.options,
      [netlabel.enableIPv4]: network.enableIPv4,
      [netlabel.enableIPv6]: network.enableIPv6,
      ...(network.internal ? { [netlabel.internal]: true } : {}),
    },
    IPv4Data: ipv4Data(network),
    IPv6Data: ipv6Data(network),
  };
}

/**
 * The answer of libnetwork's IPAM driver `null`: everything, and nothing of it (moby `daemon/libnetwork/ipams/null`).
 */
export const nullIpam = 'null';
const nothing = (Pool: string): IpamData[] => [{ AddressSpace: nullIpam, Pool }];
const usesNull = ({ ipam, sandbox }: NetworkRecord) => ipam.driver === nullIpam && sandbox === 'own';

function ipv4Data(network: NetworkRecord): IpamData[] {
  if (usesNull(network)) return network.enableIPv4 ? nothing('0.0.0.0/0') : [];
  return network.v4.map((pool) => ipamData(network, pool));
}

function ipv6Data(network: NetworkRecord): IpamData[] {
  if (usesNull(network)) return network.enableIPv6 ? nothing('::/0') : [];
  return network.v6.map((pool) => ipamData(network, pool));
}

function ipamData(network: NetworkRecord, pool: PoolRecord): IpamData {
  const bits = pool.pool.split('/')[1];
  const aux = Object.entries(pool.aux).map(([name, address]) => [name, `${address}/${bits}`]);
  return {
    AddressSpace: network.addressSpace,
    Pool: pool.pool,
    ...(pool.gateway ? { Gateway: pool.gateway } : {}),
    ...(aux.length > 0 ? { AuxAddresses: Object.fromEntries(aux) } : {}),
  };
}
