import { formatAddress, parseAddress } from '@cleat/protocol/cidr';
import { type NetworksContext, requestedResolver } from './context.js';
import { resolvesNames } from './dns-names.js';
import { saysNdots } from './host-files/host-resolver.js';
import { resolverFor } from './host-files/hosts.js';
import type { NamedContainer, NamedPlace } from './names/messages.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './record.js';

/** Whether it is on a network where names resolve: then it has a name service of its own. */
export const hasNames = ({ kind, endpoints }: SandboxRecord): boolean =>
  kind === 'path' && endpoints.some(({ dnsNames }) => dnsNames.length > 0);

/**
 * The container as the process of names is to know it. As on a stock engine, the user's name servers are asked from
 * within it, and the host's from the host, if one of its networks leads out.
 */
export function namedContainer(
  context: Pick<NetworksContext, 'config' | 'registry'>,
  sandbox: SandboxRecord,
): NamedContainer {
  const { dns, options } = resolverFor(sandbox, requestedResolver(context));
  const leadsOut = ({ networkId, gateway, gateway6, defaultRoute, defaultRoute6 }: EndpointRecord) =>
    context.registry.byId(networkId)?.internal === false &&
    (gateway !== '' || gateway6 !== '' || defaultRoute || (defaultRoute6 ?? false));
  return {
    containerId: sandbox.containerId,
    path: sandbox.path,
    places: sandbox.endpoints.map(placeOf),
    servers: dns,
    asksHost: dns.length === 0 && sandbox.endpoints.some(leadsOut),
    ...(options.length > 0 && { completesShortNames: saysNdots(options) }),
  };
}

function placeOf({ networkId, networkName, dnsNames, ipv4, ipv6, requested }: EndpointRecord): NamedPlace {
  return {
    networkId,
    networkName,
    names: dnsNames,
    // In the form in which a question is read.
    addresses: [ipv4, ipv6].flatMap((cidr) => (cidr ? formatAddress(parseAddress(cidr.split('/')[0] ?? '')) : [])),
    links: requested.linked ?? [],
  };
}

type Told = Pick<NetworksContext, 'config' | 'names' | 'registry'>;

/** The process of names comes up while a container or a network is made, if it will be needed. */
export function expectNames(context: Pick<NetworksContext, 'names'>, networks: readonly NetworkRecord[]): void {
  if (networks.some((network) => resolvesNames(network) && !network.configOnly)) context.names.prepare();
}

/** Starts the container's own name service, in its namespace, which is there. Others do not find it yet. */
export async function serveNames(context: Told, sandbox: SandboxRecord): Promise<void> {
  if (hasNames(sandbox)) await context.names.put({ ...namedContainer(context, sandbox), places: [] });
}

/** Once this is done, it is found by its names, and finds others; or it no longer is, and does not. */
export async function registerNames(context: Told, sandbox: SandboxRecord): Promise<void> {
  if (hasNames(sandbox)) await context.names.put(namedContainer(context, sandbox));
  else await context.names.forget(sandbox.containerId);
}
