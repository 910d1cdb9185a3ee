import type { NetworkResource } from '@cleat/protocol/api/network';
import { invalidParameter } from '@cleat/protocol/errors';
import { checkFilters, type Filters, filterValues, matchExact, matchLabels, matchName } from '../filters.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './record.js';

export const predefinedNames: readonly string[] = ['bridge', 'host', 'none'];
export const isPredefined = (name: string): boolean => predefinedNames.includes(name) || name === 'default';

/** A network as the API shows it. @param sandboxes to list its containers; undefined: an empty list */
export function networkResource(network: NetworkRecord, sandboxes: readonly SandboxRecord[] = []): NetworkResource {
  const containers: NetworkResource['Containers'] = {};
  for (const sandbox of sandboxes) {
    for (const endpoint of sandbox.endpoints) {
      if (endpoint.networkId !== network.id) continue;
      containers[sandbox.containerId] = {
        Name: endpointName(sandbox, endpoint),
        EndpointID: endpoint.id,
        MacAddress: endpoint.mac,
        IPv4Address: endpoint.ipv4,
        IPv6Address: endpoint.ipv6,
      };
    }
  }
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: network.scope,
    Driver: network.driver,
    EnableIPv4: network.enableIPv4,
    EnableIPv6: network.enableIPv6,
    IPAM: {
      Driver: network.ipam.driver,
      Options: network.ipam.options,
      Config: network.ipam.config.length > 0 ? network.ipam.config : null,
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: network.ingress,
    ConfigFrom: { Network: network.configFrom },
    ConfigOnly: network.configOnly,
    Containers: containers,
    Options: network.options,
    Labels: network.labels,
  };
}

/** A container's own name, or libnetwork's for its way out. */
export const endpointName = ({ containerName, sandboxId }: SandboxRecord, { role }: EndpointRecord): string =>
  role === 'gateway' ? `gateway_${sandboxId.slice(0, 12)}` : containerName;

const listFilters = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

/** @param inUse whether a container is on the network. @throws InvalidParameter */
export function networkFilter(
  filters: Filters,
  inUse: (network: NetworkRecord) => boolean,
): (network: NetworkRecord) => boolean {
  checkFilters(filters, listFilters);
  const dangling = danglingFilter(filters);
  const types = filterValues(filters, 'type');
  for (const type of types ?? []) {
    if (type !== 'builtin' && type !== 'custom') throw invalidParameter(`invalid filter: 'type'='${type}'`);
  }
  return (network) =>
    matchExact(filters, 'driver', network.driver) &&
    matchName(filters, 'name', network.name) &&
    matchName(filters, 'id', network.id) &&
    matchLabels(filters, network.labels) &&
    matchExact(filters, 'scope', network.scope) &&
    (types?.includes(isPredefined(network.name) ? 'builtin' : 'custom') ?? true) &&
    (dangling === undefined || dangling === (!isPredefined(network.name) && !inUse(network)));
}

/** In other words than those of images and volumes (moby `daemon/network/filter.go`). @throws InvalidParameter */
function danglingFilter(filters: Filters): boolean | undefined {
  const [value, ...more] = filterValues(filters, 'dangling') ?? [];
  if (more.length > 0) throw invalidParameter('got more than one value for filter key "dangling"');
  if (value === undefined) return undefined;
  if (value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  throw invalidParameter('invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")');
}
