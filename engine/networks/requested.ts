import type { EndpointSettings } from '@cleat/protocol/api/network';
import { contains, parseCidr, tryParseAddress } from '@cleat/protocol/cidr';
import { listed } from '@cleat/protocol/complaints';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { NetworksContext } from './context.js';
import { complaintsAbout } from './endpoint-options.js';
import { linkedRequest } from './links.js';
import { isUnicast, readMac } from './mac-address.js';
import type { NetworkRecord } from './record.js';
import { isPredefined } from './resource.js';
import type { RequestedNetworks } from './service.js';

/** @throws InvalidParameter in Docker's words when what is asked for cannot be met on that network */
export function checkRequested(name: string, network: NetworkRecord | undefined, requested: EndpointSettings): void {
  const { IPv4Address = '', IPv6Address = '' } = requested.IPAMConfig ?? {};
  const complaints: string[] = [];
  if (isPredefined(name)) {
    if (IPv4Address || IPv6Address) {
      complaints.push('user-specified IP address is supported on user-defined networks only');
    }
    if ((requested.Aliases?.length ?? 0) > 0) {
      complaints.push('network-scoped aliases are only supported for user-defined networks');
    }
  }
  for (const [text, family] of [
    [IPv4Address, 4],
    [IPv6Address, 6],
  ] as const) {
    if (!text) continue;
    const address = tryParseAddress(text);
    if (!address || address.family !== family) complaints.push(`invalid IPv${family} address: ${text}`);
    else if (network && ![...network.v4, ...network.v6].some(({ pool }) => contains(parseCidr(pool).block, address))) {
      complaints.push(`no configured subnet contains IP address ${text}`);
    }
  }
  for (const text of requested.IPAMConfig?.LinkLocalIPs ?? []) {
    if (!isLinkLocal(text)) complaints.push(`invalid link-local IP address: ${text}`);
  }
  if (requested.MacAddress) complaints.push(...complaintsAboutMac(requested.MacAddress));
  complaints.push(...complaintsAbout(requested));
  if (complaints.length > 0) throw invalidParameter(`invalid endpoint settings:\n${listed(complaints)}`);
}

/**
 * The requests of a container, with each network that is there by its name and ID (moby
 * `updateContainerNetworkSettings`).
 * @throws InvalidParameter as {@link checkRequested}
 */
export function settleRequested(
  { registry, idOf }: Pick<NetworksContext, 'idOf' | 'registry'>,
  mode: string,
  given: Record<string, EndpointSettings | null>,
): RequestedNetworks {
  if (mode.startsWith('container:')) {
    if (mode.length === 'container:'.length) {
      throw invalidParameter('invalid network mode: invalid container format container:<name|id>');
    }
    return { mode, endpoints: {} };
  }
  const endpoints: RequestedNetworks['endpoints'] = {};
  for (const [ref, settings] of Object.entries(given)) {
    const requested = settings ?? {};
    // A predefined one has another ID when it was made anew.
    const network = isPredefined(ref) ? undefined : registry.lookUp(requested.NetworkID || ref);
    const name = network?.name ?? ref;
    try {
      // A network may also be made until the container starts; then it is compared with that one's addresses.
      checkRequested(name, network, requested);
    } catch (error) {
      throw invalidParameter(`invalid config for network ${ref}: ${messageOf(error)}`, { cause: error });
    }
    endpoints[name] ??= { ...linkedRequest(requested, idOf), NetworkID: network?.id ?? '' };
  }
  const own = isPredefined(mode) ? undefined : registry.lookUp(mode);
  return { mode: own && own.name !== mode ? own.id : mode, endpoints };
}

/** How to look up what a container asks for: its ID, unless that may change or is not known yet. */
export function requestedRef(name: string, requested: EndpointSettings): string {
  return isPredefined(name) ? name : requested.NetworkID || name;
}

/** Docker finds out at the start that the kernel takes no such address. */
function complaintsAboutMac(text: string): string[] {
  const mac = readMac(text);
  if (mac && isUnicast(mac)) return [];
  return [`invalid MAC address: ${text}${mac ? ', which is not one of a single interface' : ''}`];
}

/** 169.254.0.0/16 and fe80::/10. */
function isLinkLocal(text: string): boolean {
  const address = tryParseAddress(text);
  return address !== undefined && linkLocal.some(({ block }) => contains(block, address));
}

const linkLocal = [parseCidr('169.254.0.0/16'), parseCidr('fe80::/10')];
