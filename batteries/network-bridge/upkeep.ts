import { hostState, interfaceNames } from '@cleat/linux/net/facts';
import type { HostLinks } from '@cleat/linux/net/links';
import { linkState } from '@cleat/linux/syscall/route-links';
import type { Mutex } from '@cleat/protocol/async/mutex';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { DurableMap } from '@cleat/sdk';
import { borrowedBridge } from './borrowed.js';
import { isDamaged } from './damage.js';
import { ensureBridge, ownBridges, removeBridge } from './device.js';
import { linkedPorts } from './linked.js';
import { putOnBridge } from './links.js';
import { Members, type Stray } from './members.js';
import { insisting, longestMs, Patience } from './patience.js';
import type { HostPorts } from './ports.js';
import type { BridgeRules } from './rules.js';
import { type EndpointRecord, isBorrowed, type NetworkRecord } from './state.js';
import { HostWatch } from './watch.js';

interface Parts {
  readonly engineId: string;
  readonly networks: DurableMap<NetworkRecord>;
  readonly endpoints: DurableMap<EndpointRecord>;
  readonly links: HostLinks;
  readonly rules: BridgeRules;
  readonly ports: HostPorts;
  /** Endpoints whose interface is being made. */
  readonly joining: ReadonlySet<string>;
  /** Networks come and go one at a time. */
  readonly mutex: Mutex;
  readonly log: Logger;
}

/** Makes the host again as the records say: after a start, and whenever somebody else has damaged it. */
export class Upkeep {
  readonly #parts: Parts;
  readonly #watch: HostWatch;
  readonly #members: Members;
  readonly #patience = new Patience(longestMs.links);

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#members = new Members(parts.networks, parts.endpoints, parts.joining, parts.engineId);
    const bridges = { after: 'bridges', look: () => this.#mendBridges() };
    const members = { after: "containers' interfaces", look: () => this.#mendMembers() };
    this.#watch = new HostWatch([bridges, members, ...parts.rules.looks()], parts.log);
  }

  /**
   * After a start: networks get back what a reboot took, rules are made anew, ports are held again. A network that
   * cannot be restored is reported and does not stop the others.
   */
  async restore(): Promise<void> {
    const { networks, endpoints, ports, rules, log } = this.#parts;
    for (const network of networks.values()) {
      await this.remake(network).catch((error: unknown) =>
        log.error('a network could not be restored', { network: network.id, error: messageOf(error) }),
      );
    }
    for (const endpoint of endpoints.values()) {
      for (const port of await ports.restore(endpoint.ports)) {
        log.warn('a published port was taken by another process meanwhile', { ...port });
      }
    }
    if (networks.values().length === 0) return;
    await this.applyRules().catch((error: unknown) =>
      log.error('the firewall rules could not be restored', { error: messageOf(error) }),
    );
    rules.routeLocal(networks.values().filter(({ id }) => this.#publishes(id)));
  }

  /** All rules anew, which are looked after from then on. */
  async applyRules(networks: readonly NetworkRecord[] = this.#parts.networks.values()): Promise<void> {
    const { rules } = this.#parts;
    await rules.apply(networks);
    if (networks.length === 0) return;
    this.#members.listen();
    this.#watch.start();
  }

  /** The bridge as it was, with the interfaces of containers that run. @throws NotFound for a borrowed one that is gone */
  async remake(network: NetworkRecord): Promise<void> {
    const { networks, endpoints, links, rules, engineId } = this.#parts;
    if (!isBorrowed(network)) await ensureBridge(network, links, engineId, network.owned ? 'refuse' : 'adopt');
    if (network.making) networks.set(network.id, { ...network, making: undefined });
    const there = interfaceNames();
    const own = endpoints.values().filter(({ networkId }) => networkId === network.id);
    const left = own.filter(({ hostLink }) => there.has(hostLink));
    const fitted = await this.#fitted(network);
    await links.run(left.flatMap(({ hostLink }) => [...fitted(hostLink), ...putOnBridge(network, hostLink)]));
    rules.forwardFrom([network]);
    if (this.#publishes(network.id)) rules.routeLocal([network]);
    rules.answerForLinked(network, linkedPorts(network, own));
  }

  /** For good: after this nothing is looked at or made. */
  async stop(): Promise<void> {
    await this.#watch.stop();
    this.#members.close();
    this.#parts.rules.close();
  }

  /** Takes networks that no container is on from the host. The next start makes them anew. */
  async removeIdle(): Promise<void> {
    const { networks, endpoints, links, engineId, log } = this.#parts;
    const inUse = new Set(endpoints.values().map(({ networkId }) => networkId));
    const idle = networks.values().filter((one) => (one.owned || isBorrowed(one)) && !inUse.has(one.id));
    if (idle.length === 0) return;
    try {
      const own = await ownBridges(engineId);
      for (const { bridge } of idle) if (own.has(bridge)) await removeBridge(bridge, links);
      await this.applyRules(networks.values().filter((network) => !idle.includes(network)));
    } catch (error) {
      log.error('networks without containers were not removed from this host', { error: messageOf(error) });
    }
  }

  /** Somebody deleted them, set them down, or took their addresses. */
  async #mendBridges(): Promise<void> {
    const { networks, mutex, log } = this.#parts;
    const isUp = (bridge: string) => linkState(bridge)?.up === true;
    const damaged = (host = hostState()) =>
      networks
        .values()
        .filter((network) => !network.making && isDamaged(network, host, isUp) && this.#patience.isDue(network.bridge));
    if (damaged().length === 0) return;
    await mutex.run(() =>
      eachOf(damaged(), async (network) => {
        const pauseMs = this.#patience.spend(network.bridge);
        await this.remake(network);
        const { bridge } = network;
        log.warn('a bridge had been changed by somebody else, and was made anew', { bridge, ...insisting(pauseMs) });
      }),
    );
  }

  /** Somebody took containers' interfaces off their bridge, or set them down. */
  async #mendMembers(): Promise<void> {
    const { mutex } = this.#parts;
    const strays = () => this.#members.strays().filter(({ endpoint }) => this.#patience.isDue(endpoint.hostLink));
    this.#tellLost();
    if (strays().length === 0) return;
    await mutex.run(() => eachOf(strays(), (stray) => this.#putBack(stray)));
  }

  /** A new one would need the container's addresses and routes in it, which are not the driver's business. */
  #tellLost(): void {
    const { networks, log } = this.#parts;
    for (const { networkId, hostLink, ip, ip6 } of this.#members.takeLost()) {
      log.warn(
        "a container's interface had been deleted by somebody else: disconnect it from its network and connect it again, or restart it",
        { interface: hostLink, network: networkId, bridge: networks.get(networkId)?.bridge, address: ip || ip6 },
      );
    }
  }

  async #putBack({ endpoint, network, found, otherName }: Stray): Promise<void> {
    const { links, log } = this.#parts;
    const { hostLink } = endpoint;
    const pauseMs = this.#patience.spend(hostLink);
    // Its bridge may be another one of that name.
    links.forget();
    try {
      const fitted = await this.#fitted(network);
      // Before Linux 6.2 an interface must be down for that.
      const renaming = otherName
        ? [`link set dev ${otherName} down`, `link set dev ${otherName} name ${hostLink}`]
        : [];
      await links.run([...renaming, ...fitted(hostLink), ...putOnBridge(network, hostLink)]);
    } catch (error) {
      // It went with its container meanwhile.
      if (!linkState(otherName ?? hostLink)) return;
      throw error;
    }
    log.warn("a container's interface had been changed by somebody else, and was put back on its bridge", {
      interface: hostLink,
      found,
      bridge: network.bridge,
      ...insisting(pauseMs),
    });
  }

  /** An interface of ours has the MTU of a borrowed bridge, whose own it would change. @throws NotFound while that is gone */
  async #fitted(network: NetworkRecord): Promise<(hostLink: string) => string[]> {
    if (!isBorrowed(network)) return () => [];
    const { mtu } = await borrowedBridge(network);
    return (hostLink) => [`link set dev ${hostLink} mtu ${mtu}`];
  }

  #publishes(id: string): boolean {
    return this.#parts.endpoints.values().some(({ networkId, ports }) => networkId === id && ports.length > 0);
  }
}

/** One after the other, each of them. @throws the first failure, after the last one */
async function eachOf<T>(things: readonly T[], work: (thing: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (const thing of things) await work(thing).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
