import { randomBytes } from 'node:crypto';
import { interfaceNames } from '@cleat/linux/net/facts';
import type { HostLinks } from '@cleat/linux/net/links';
import { parseAddress } from '@cleat/protocol/cidr';
import { messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk';
import { type EndpointRecord, isBorrowed, type NetworkRecord } from './state.js';

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

export interface PairSettings {
  /** The outer end's MAC address; absent: any. */
  readonly mac?: string;
  readonly mtu: number;
  /** The inner end's. */
  readonly peerMtu: number;
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
  pair: PairSettings = { mtu: network.mtu, peerMtu: network.mtu },
): Promise<void> {
  const { hostLink, containerLink, mac } = endpoint;
  const where = sandboxPid > 0 ? ` netns ${sandboxPid}` : '';
  const peer = `peer name ${containerLink}${where} address ${mac} mtu ${pair.peerMtu}`;
  const own = `${pair.mac ? `address ${pair.mac} ` : ''}mtu ${pair.mtu}`;
  // A Join that is repeated, after the engine did not hear the first answer.
  await links.remove(hostLink);
  await links.run([`link add ${hostLink} ${own} type veth ${peer}`, ...putOnBridge(network, hostLink)]);
}

/** Commands that put an interface on the network's bridge. */
export function putOnBridge(network: NetworkRecord, hostLink: string): string[] {
  const { bridge, icc } = network;
  return [
    // Enslaved and without IPv6 of its own before it is up, so that it never shows up as a host of the network.
    `link set dev ${hostLink} addrgenmode none`,
    `link set dev ${hostLink} master ${bridge} up`,
    // With br_netfilter, a frame to a published port of its own sender goes back where it came from.
    ...(isBorrowed(network)
      ? []
      : [`link set dev ${hostLink} type bridge_slave hairpin on${icc ? '' : ' isolated on'}`]),
  ];
}

/**
 * Removes interfaces that are still there after their sandbox should have taken them along. Which ones is on disk: nobody
 * else knows of them once their endpoint is deleted.
 */
export class LinkSweeper {
  readonly #links: HostLinks;
  readonly #log: Logger;
  readonly #due: DurableMap<true>;
  #timer: NodeJS.Timeout | undefined;
  /** One after the other: the last one is over before the file is closed. */
  #sweep: Promise<void> = Promise.resolve();

  constructor(path: string, links: HostLinks, log: Logger) {
    this.#links = links;
    this.#log = log;
    this.#due = new DurableMap(path, log);
    if (this.#due.size > 0) this.#wait();
  }

  later(name: string): void {
    this.#due.set(name, true);
    this.#wait();
  }

  now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sweep = this.#sweep.then(() => this.#removeAll());
    return this.#sweep;
  }

  /** Removes what is due, for the last time. */
  async close(): Promise<void> {
    await this.now();
    this.#due.close();
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => void this.now(), sweepAfterMs).unref();
  }

  async #removeAll(): Promise<void> {
    const there = interfaceNames();
    for (const [name] of this.#due.entries()) {
      if (there.has(name)) await this.#remove(name);
      this.#due.delete(name);
    }
  }

  async #remove(name: string): Promise<void> {
    await this.#links.run([`link delete dev ${name}`]).catch((error: unknown) => {
      // The kernel may be quicker with the namespace that it is in.
      if (interfaceNames().has(name)) {
        this.#log.warn('an interface could not be removed', { name, error: messageOf(error) });
      }
    });
  }
}
