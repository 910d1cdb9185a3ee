import type { Protocol } from '@cleat/linux/firewall/ruleset';
import { formatAddress, parseAddress } from '@cleat/protocol/cidr';
import { invalidParameter } from '@cleat/protocol/errors';
import type { PortBinding } from '@cleat/protocol/kinds/network';

export const protocols: Readonly<Record<number, Protocol>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };
const unspecified = new Set(['0.0.0.0', '::']);

/** Where published ports lead to, and which address of the host those have that name none. */
export interface PortTarget {
  ip: string;
  ip6: string;
  hostIp: string;
}

export interface PortRequest {
  protocol: Protocol;
  containerPort: number;
  /** Host addresses that all get the same port, with the container's address that each leads to. */
  targets: { hostIp: string; containerIp: string }[];
  /** First and last port to try; 0: any free one. */
  from: number;
  to: number;
}

/**
 * Bindings that differ in nothing but the host's address get the same port there, as libnetwork has it.
 * @param six whether the host has IPv6
 * @throws InvalidParameter
 */
export function readPortRequests(bindings: readonly PortBinding[], to: PortTarget, six: boolean): PortRequest[] {
  const requests = new Map<string, PortRequest>();
  for (const binding of bindings) {
    const protocol = protocols[binding.Proto];
    if (!protocol) throw invalidParameter(`invalid protocol number ${binding.Proto} of a published port`);
    const { Port, HostPort: from = 0, HostPortEnd = 0, HostIP = '' } = binding;
    const key = [protocol, Port, from, HostPortEnd].join(' ');
    const targets = targetsOf(protocol, HostIP, to, six);
    const known = requests.get(key);
    if (known) known.targets.push(...targets);
    else requests.set(key, { protocol, containerPort: Port, targets, from, to: Math.max(from, HostPortEnd) });
  }
  return [...requests.values()].filter(({ targets }) => targets.length > 0);
}

/** As libnetwork decides it (moby `daemon/libnetwork/drivers/bridge/port_mapping_linux.go`). */
function targetsOf(protocol: Protocol, hostIp: string, to: PortTarget, six: boolean): PortRequest['targets'] {
  const from = canonical(hostIp || to.hostIp || '0.0.0.0');
  // A proxy carries what comes over IPv6 to a container without it; there is none for SCTP.
  const overSix = to.ip6 || (protocol === 'sctp' ? '' : to.ip);
  if (from.includes(':')) {
    if (protocol === 'sctp' && from === '::1') {
      throw invalidParameter('cannot publish an SCTP port on [::1]: the kernel cannot translate it');
    }
    return overSix ? [{ hostIp: from, containerIp: overSix }] : [];
  }
  const four = to.ip ? [{ hostIp: from, containerIp: to.ip }] : [];
  const everywhere = !hostIp && unspecified.has(from);
  return everywhere && six && overSix ? [...four, { hostIp: '::', containerIp: overSix }] : four;
}

/** As the kernel and nft write it; an IPv4 address within IPv6 is an IPv4 address. */
function canonical(text: string): string {
  const [, four] = /^::ffff:([\d.]+)$/i.exec(text) ?? [];
  return formatAddress(parseAddress(four ?? text));
}
