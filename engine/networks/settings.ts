import type { EndpointSettings } from '@cleat/protocol/api/network';
import type { PortBinding } from '@cleat/protocol/kinds/network';
import { waysOut } from './gateway.js';
import { portMap } from './ports.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './record.js';
import type { SandboxSettings } from './service.js';

/** An endpoint for inspect: the request, and its result. */
export function endpointSettings(endpoint: EndpointRecord): EndpointSettings {
  const [ip = '', prefix = '0'] = endpoint.ipv4.split('/');
  const [ip6 = '', prefix6 = '0'] = endpoint.ipv6.split('/');
  const { requested } = endpoint;
  return {
    IPAMConfig: requested.IPAMConfig ?? null,
    Links: requested.Links ?? null,
    Aliases: requested.Aliases ?? null,
    MacAddress: endpoint.mac,
    DriverOpts: requested.DriverOpts ?? null,
    GwPriority: requested.GwPriority ?? 0,
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.id,
    Gateway: endpoint.gateway,
    IPAddress: ip,
    IPPrefixLen: Number(prefix || 0),
    IPv6Gateway: endpoint.gateway6,
    GlobalIPv6Address: ip6,
    GlobalIPv6PrefixLen: Number(prefix6 || 0),
    DNSNames: endpoint.dnsNames.length > 0 ? endpoint.dnsNames : null,
  };
}

/**
 * The same while the container does not run: the network it will be on, and no addresses.
 * @param names what it was called there
 */
export function detachedSettings(
  network: NetworkRecord | undefined,
  requested: EndpointSettings,
  names: readonly string[],
): EndpointSettings {
  return {
    IPAMConfig: requested.IPAMConfig ?? null,
    Links: requested.Links ?? null,
    Aliases: requested.Aliases ?? null,
    MacAddress: requested.MacAddress ?? '',
    DriverOpts: requested.DriverOpts ?? null,
    GwPriority: requested.GwPriority ?? 0,
    NetworkID: network?.id ?? '',
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: names.length > 0 ? [...names] : null,
  };
}

export function sandboxSettings(sandbox: SandboxRecord): SandboxSettings {
  if (sandbox.ownerId) return { sandboxId: '', sandboxKey: '', ports: {}, networks: {} };
  const published: PortBinding[] = sandbox.endpoints.flatMap(({ ports }) => ports);
  // On a network that publishes nothing, such as an internal one or a driver's that cannot, no port is shown at all.
  const { four, six } = waysOut(sandbox);
  const publishing = sandbox.endpoints.filter(({ publishedFor = [] }) => publishedFor.length > 0);
  const shows = sandbox.kind === 'path' && [four, six, ...publishing].some((endpoint) => endpoint?.showsPorts);
  const shown = shows ? portMap(sandbox.exposedPorts, published) : {};
  return {
    sandboxId: sandbox.sandboxId,
    sandboxKey: sandbox.path,
    ports: shown,
    networks: Object.fromEntries(
      sandbox.endpoints
        .filter(({ role }) => role !== 'gateway')
        .map((endpoint) => [endpoint.networkName, endpointSettings(endpoint)]),
    ),
  };
}
