import { ipamOption, type NetworkOfPool } from '@cleat/protocol/kinds/ipam';
import { type IpamData, netlabel } from '@cleat/protocol/kinds/network';
import type { IpamCapabilities } from './drivers.js';
import type { EndpointRecord, NetworkRecord, PoolRecord, SandboxRecord } from './record.js';

/** The request of CreateNetwork, the first time and when a driver has to be told again. */
export function networkRequest(network: NetworkRecord) {
  return {
    NetworkID: network.id,
    Options: {
      [netlabel.generic]: { ...network.options, ...network.allocation },
      [netlabel.enableIPv4]: network.enableIPv4,
      [netlabel.enableIPv6]: network.enableIPv6,
      ...(network.internal ? { [netlabel.internal]: true } : {}),
    },
    IPv4Data: network.v4.map((pool) => ipamData(network, pool)),
    IPv6Data: network.v6.map((pool) => ipamData(network, pool)),
  };
}

/** The options of RequestPool: the user's, and what the driver asked to be told. */
export function poolOptions(
  { id, name, driver, options, ipam }: NetworkRecord,
  { knowsHolders, knowsNetworks }: Pick<IpamCapabilities, 'knowsHolders' | 'knowsNetworks'>,
): Record<string, string> | null {
  if (!knowsHolders && !knowsNetworks) return ipam.options;
  const network: NetworkOfPool = { Name: name, Driver: driver, Options: options };
  return {
    ...ipam.options,
    ...(knowsHolders ? { [ipamOption.holder]: id } : {}),
    ...(knowsNetworks ? { [ipamOption.network]: JSON.stringify(network) } : {}),
  };
}

/**
 * The options of RequestAddress for an endpoint: its names, and what the driver asked to be told.
 * @param name the container's
 */
export function addressOptions(
  { containerId, hostname }: SandboxRecord,
  { id, mac }: EndpointRecord,
  name: string,
  { requiresMac, knowsHolders, knowsHostNames }: IpamCapabilities,
): Record<string, string> {
  // Without one of the user's it is a part of the ID.
  const isNamed = hostname !== '' && !containerId.startsWith(hostname);
  return {
    [ipamOption.endpointName]: name,
    ...(requiresMac ? { [ipamOption.macAddress]: mac } : {}),
    ...(knowsHolders ? { [ipamOption.holder]: id } : {}),
    ...(knowsHostNames && isNamed ? { [ipamOption.hostName]: hostname } : {}),
  };
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
