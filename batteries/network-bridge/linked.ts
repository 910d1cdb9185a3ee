import type { LinkedPort } from '@cleat/linux/firewall/ruleset';
import { readSysctl } from '@cleat/linux/net/facts';
import { invalidParameter } from '@cleat/protocol/errors';
import type { OpenedLink } from '@cleat/protocol/kinds/network';
import { protocols } from './port-requests.js';
import type { EndpointLink, EndpointRecord, NetworkRecord } from './state.js';

/*
 * Links on a network whose containers are kept apart (`icc` false). Ports of its bridge are isolated from each other, so
 * nothing passes between them within the bridge. While there is a link, the host answers there for the containers'
 * addresses (private VLAN proxy ARP); then their packets come to it, and the firewall lets the linked ports through.
 */

/** @throws InvalidParameter */
export const readLinks = (links: readonly OpenedLink[]): EndpointLink[] =>
  links.map(({ EndpointID, Ports }) => ({
    endpointId: EndpointID,
    ports: Ports.map(({ Proto, Port }) => {
      const protocol = protocols[Proto];
      if (!protocol) throw invalidParameter(`invalid protocol number ${Proto} of a linked port`);
      return { protocol, port: Port };
    }),
  }));

/** Whether a link begins or ends there. */
export const isLinked = ({ id, links = [] }: EndpointRecord, all: readonly EndpointRecord[]): boolean =>
  links.length > 0 || all.some((other) => other.links?.some(({ endpointId }) => endpointId === id));

/** The links of one network whose other end is there, as the firewall takes them; over IPv4 alone, as moby has it. */
export function linkedPorts({ id, icc }: NetworkRecord, all: readonly EndpointRecord[]): LinkedPort[] {
  if (icc) return [];
  const own = new Map(
    all.filter(({ networkId, ip }) => networkId === id && ip).map((endpoint) => [endpoint.id, endpoint]),
  );
  return [...own.values()].flatMap(({ ip: from, links = [] }) =>
    links.flatMap(({ endpointId, ports }) => {
      const to = own.get(endpointId)?.ip;
      return to ? ports.map((port) => ({ from, to, ...port })) : [];
    }),
  );
}

/** The sysctl by which the host answers for others on a bridge. */
export const answeringKey = ({ bridge }: Pick<NetworkRecord, 'bridge'>): string =>
  `ipv4/conf/${bridge}/proxy_arp_pvlan`;

/** Sysctls, with their values, for the host to answer for containers as long as there is a link; none if they are so. */
export function answering({ bridge, icc }: NetworkRecord, links: readonly LinkedPort[]): [string, string][] {
  const key = answeringKey({ bridge });
  const wanted = links.length > 0 ? '1' : '0';
  if (icc || (readSysctl(key) ?? '0') === wanted) return [];
  // Without a delay, which is up to 0.8 seconds.
  return [
    [`ipv4/neigh/${bridge}/proxy_delay`, '0'],
    [key, wanted],
  ];
}
