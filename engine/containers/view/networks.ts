import type { EndpointSettings } from '@cleat/protocol/api/network';
import type { ContainerRecord } from '../state/record.js';

type Endpoints = Record<string, EndpointSettings>;

/** Before its first start a container is on no network yet: clients know that by the ID that is missing. */
export function inspectedNetworks(record: ContainerRecord, networks: Endpoints): Endpoints {
  if (record.startedBefore) return networks;
  return mapped(networks, (endpoint) => (endpoint.EndpointID ? endpoint : { ...endpoint, NetworkID: '' }));
}

/** The list carries where a container can be reached, not how that came about. */
export function listedNetworks(record: ContainerRecord, networks: Endpoints): Endpoints {
  const unexplained = { Links: null, Aliases: null, DriverOpts: null, DNSNames: null };
  return mapped(inspectedNetworks(record, networks), (endpoint) => ({ ...endpoint, ...unexplained }));
}

function mapped(networks: Endpoints, shown: (endpoint: EndpointSettings) => EndpointSettings): Endpoints {
  return Object.fromEntries(Object.entries(networks).map(([name, endpoint]) => [name, shown(endpoint)]));
}
