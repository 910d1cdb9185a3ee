import { randomBytes } from 'node:crypto';
import { interfaceNames } from '@cleat/linux/net/facts';
import type { HostLinks } from '@cleat/linux/net/links';
import { parseAddress } from '@cleat/protocol/cidr';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { EndpointRecord, NetworkRecord } from './state.js';

/** A sandbox that is removed takes its interfaces along; only what is there after that time needs a hand. */
const sweepAfterMs = 2_000;

export const newLinkName = (): string => `veth${randomBytes(4).toString('hex').slice(0, 7)}`;

/** As Docker derives it: 02:42 and the IPv4 address; random without one. */
export function macFor(ip: string): string {
  const tail = ip
    ? [24n, 16n, 8n, 0n].map((shift) => Number((parseAddress(ip).value >> shift) & 255n))
    : [...randomBytes(4)];
  return [0x02, 0x42, ...tail].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/**
 * Makes the pair of interfaces and puts its outer end on the bridge.
 * @param sandboxPid a process in the namespace where the inner end is to be; 0: here, for the engine to move
 */
export async function makeLinks(
  links: HostLinks,
  network: NetworkRecord,
  endpoint: EndpointRecord,
  sandboxPid: number,
): Promise<void> {
  const { hostLink, containerLink, mac } = endpoint;
  const where = sandboxPid > 0 ? ` netns ${sandboxPid}` : '';
  const peer = `peer name ${containerLink}${where} address ${mac} mtu ${network.mtu}`;
  // A Join that is repeated, after the engine did not hear the first answer.
  if (interfaceNames().has(hostLink)) await links.run([`link delete dev ${hostLink}`]);
  await links.run([
    `link add ${hostLink} mtu ${network.mtu} type veth ${peer}`,
    // Enslaved and without IPv6 of its own before it is up, so that it never shows up as a host of the network.
    `link set dev ${hostLink} master ${network.bridge} addrgenmode none up`,
    ...(network.icc ? [] : [`link set dev ${hostLink} type bridge_slave isolated on`]),
  ]);
}

/** Removes interfaces that are still there after their sandbox should have taken them along. */
export class LinkSweeper {
  readonly #links: HostLinks;
  readonly #log: Logger;
  readonly #due = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(links: HostLinks, log: Logger) {
    this.#links = links;
    this.#log = log;
  }

  later(name: string): void {
    this.#due.add(name);
    this.#timer ??= setTimeout(() => void this.now(), sweepAfterMs).unref();
  }

  async now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const there = interfaceNames();
    const left = [...this.#due].filter((name) => there.has(name));
    this.#due.clear();
    for (const name of left) {
      await this.#links.run([`link delete dev ${name}`]).catch((error: unknown) => {
        // The kernel may be quicker with the namespace that it is in.
        if (interfaceNames().has(name)) {
          this.#log.warn('an interface could not be removed', { name, error: messageOf(error) });
        }
      });
    }
  }
}
