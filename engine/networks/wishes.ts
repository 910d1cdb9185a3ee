import type { EndpointSettings } from '@cleat/protocol/api/network';
import { contains, parseCidr, tryParseAddress } from '@cleat/protocol/cidr';
import { invalidParameter } from '@cleat/protocol/errors';
import type { NetworkRecord } from './record.js';
import { isPredefined } from './resource.js';

/** @throws InvalidParameter in Docker's words when the wishes cannot be met on that network */
export function checkWishes(name: string, network: NetworkRecord | undefined, wished: EndpointSettings): void {
  const { IPv4Address = '', IPv6Address = '' } = wished.IPAMConfig ?? {};
  const complaints: string[] = [];
  if (isPredefined(name)) {
    if (IPv4Address || IPv6Address) {
      complaints.push('user-specified IP address is supported on user-defined networks only');
    }
    if ((wished.Aliases?.length ?? 0) > 0) {
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
  if (wished.MacAddress && !/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(wished.MacAddress)) {
    complaints.push(`invalid MAC address: ${wished.MacAddress}`);
  }
  if (complaints.length > 0) throw invalidParameter(`invalid endpoint settings:\n${complaints.join('\n')}`);
}
