import type { GatewayModes, Protocol, PublishedPort } from '@cleat/linux/firewall/ruleset';
import { addressBytes, formatAddress, parseAddress } from '@cleat/protocol/cidr';
import { invalidParameter } from '@cleat/protocol/errors';
import type { PortBinding } from '@cleat/protocol/kinds/network';
import type { Family } from './state.js';

export const protocolNumber: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };
export const protocols: Readonly<Record<number, Protocol>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };
const unspecified = new Set(['0.0.0.0', '::']);

/** Where published ports lead to, and which address of the host those have that name none. */
export interface PortTarget {
  ip: string;
  ip6: string;
  hostIp: string;
}

interface HostTarget {
  hostIp: string;
  containerIp: string;
}

export interface PortRequest {
  protocol: Protocol;
  containerPort: number;
  /** Host addresses that all get the same port, with the container's address that each leads to. */
  targets: HostTarget[];
  /** First and last port to try; 0: any free one. */
  from: number;
  to: number;
}

/**
 * Bindings that differ in nothing but the host's address get the same port there, as libnetwork has it.
 * @param six whether the host has IPv6
 * @param families of the host's addresses that count
 * @throws InvalidParameter
 */
export function readPortRequests(
  bindings: readonly PortBinding[],
  to: PortTarget,
  six: boolean,
  families: readonly Family[] = ['ipv4', 'ipv6'],
): PortRequest[] {
  const requests = new PortRequests();
  for (const { Proto, Port: containerPort, HostPort: from = 0, HostPortEnd = 0, HostIP = '' } of bindings) {
    const protocol = protocolOf(Proto);
    const range = { protocol, containerPort, from, to: Math.max(from, HostPortEnd) };
    for (const target of targetsOf(protocol, HostIP, to, six)) {
      if (families.includes(familyOf(target.hostIp))) requests.add(range, target);
    }
  }
  return requests.inOrder();
}

/** The same binding twice is two requests: one port cannot be had twice. */
class PortRequests {
  readonly #requests = new Map<string, PortRequest>();
  /** How many times an address has been asked for with one range. */
  readonly #times = new Map<string, number>();

  add(range: Omit<PortRequest, 'targets'>, target: HostTarget): void {
    const asked = [range.protocol, range.containerPort, range.from, range.to].join(' ');
    const times = this.#times.get(`${asked} ${target.hostIp}`) ?? 0;
    this.#times.set(`${asked} ${target.hostIp}`, times + 1);
    const request = this.#requests.get(`${asked} ${times}`) ?? { ...range, targets: [] };
    this.#requests.set(`${asked} ${times}`, request);
    request.targets.push(target);
  }

  /** Those that leave no choice come first, so that a range does not take what another binding names. */
  inOrder(): PortRequest[] {
    const sorted = [...this.#requests.values()].sort(
      (a, b) =>
        Number(isRange(a)) - Number(isRange(b)) ||
        a.containerPort - b.containerPort ||
        protocolNumber[a.protocol] - protocolNumber[b.protocol] ||
        a.from - b.from ||
        a.to - b.to,
    );
    for (const { targets } of sorted) targets.sort((a, b) => compareAddresses(a.hostIp, b.hostIp));
    return sorted;
  }
}

const isRange = ({ from, to }: PortRequest): boolean => from === 0 || from !== to;

function compareAddresses(a: string, b: string): number {
  const [one, other] = [addressBytes(a), addressBytes(b)];
  return one.length - other.length || Buffer.compare(one, other);
}

/**
 * Ports of a network whose addresses are routed: nothing of the host's is taken; the container's own are reached.
 * @throws InvalidParameter
 */
export function routedPorts(
  bindings: readonly PortBinding[],
  { ip, ip6, hostIp: hostDefault }: PortTarget,
  { modes = {} }: { modes?: GatewayModes },
): PublishedPort[] {
  const ports = new Map<string, PublishedPort>();
  for (const { Proto, Port: containerPort, HostIP } of bindings) {
    // A network that publishes on an address of one family opens nothing of the other.
    const asked = HostIP || (hostDefault === '0.0.0.0' ? '' : hostDefault);
    const protocol = protocolOf(Proto);
    for (const [containerIp, hostIp] of [
      [ip, '0.0.0.0'],
      [ip6, '::'],
    ] as const) {
      const family = familyOf(hostIp);
      if (!containerIp || modes[family] !== 'routed') continue;
      if (asked && familyOf(canonical(asked)) !== family) continue;
      const port = { protocol, hostIp, hostPort: 0, containerIp, containerPort, direct: true as const };
      ports.set(`${family} ${protocol} ${containerPort}`, port);
    }
  }
  return [...ports.values()];
}

export const familyOf = (address: string): Family => (address.includes(':') ? 'ipv6' : 'ipv4');

/** @throws InvalidParameter */
function protocolOf(number: number): Protocol {
  const protocol = protocols[number];
  if (!protocol) throw invalidParameter(`invalid protocol number ${number} of a published port`);
  return protocol;
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
