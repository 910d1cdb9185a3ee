import { Firewall } from '@cleat/linux/firewall/firewall';
import { ForeignChanges } from '@cleat/linux/firewall/foreign-changes';
import { type FirewallNetwork, isTranslated, type LinkedPort, type PublishedPort } from '@cleat/linux/firewall/ruleset';
import type { Logger } from '@cleat/protocol/log';
import type { DurableMap } from '@cleat/sdk';
import { ForwardGuard } from './guard.js';
import { answering, answeringKey, linkedPorts } from './linked.js';
import type { BridgeOptions } from './options.js';
import { insistingOnRules, longestMs, Patience } from './patience.js';
import { KernelSettings } from './settings.js';
import { type EndpointRecord, isBorrowed, type NetworkRecord } from './state.js';
import type { Look } from './watch.js';
import { Zones } from './zones.js';

/** The engine's own, for {@link Patience}. */
const table = 'the table';

/** The rules of the firewall, and the kernel's settings, that follow from the networks and endpoints on record. */
export class BridgeRules {
  /** Absent: the operator wants no rules. */
  readonly firewall: Firewall | undefined;
  /** Endpoints that are being deleted: no rule is for them. */
  readonly leaving = new Set<string>();
  readonly #options: BridgeOptions;
  readonly #networks: DurableMap<NetworkRecord>;
  readonly #endpoints: DurableMap<EndpointRecord>;
  readonly #log: Logger;
  readonly #settings: KernelSettings;
  readonly #patience = new Patience(longestMs.rules);
  readonly #guard: ForwardGuard;
  readonly #zones: Zones;

  constructor(
    options: BridgeOptions,
    networks: DurableMap<NetworkRecord>,
    endpoints: DurableMap<EndpointRecord>,
    log: Logger,
  ) {
    this.#options = options;
    this.#networks = networks;
    this.#endpoints = endpoints;
    this.#log = log;
    this.#settings = new KernelSettings(log);
    const tag = options.engineId.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 12);
    const foreign = new ForeignChanges();
    this.firewall = options.firewall ? new Firewall(`cleat_${tag}`, foreign) : undefined;
    this.#guard = new ForwardGuard(`cleat:${tag}`, foreign, log);
    this.#zones = new Zones(foreign, log);
  }

  /**
   * All rules anew, for these networks; none when the last network goes. Bridges of others are left out of them: a host's
   * own way into the world may be one.
   */
  async apply(all: readonly NetworkRecord[]): Promise<void> {
    const networks = all.filter((network) => !isBorrowed(network));
    const six = networks.some(({ subnets }) => subnets.some((subnet) => subnet.includes(':')));
    if (networks.length === 0) this.#settings.clear();
    if (networks.length > 0 && this.#options.ipForward) {
      this.#settings.switchOn('ipv4/ip_forward');
      if (six) this.#settings.switchOn('ipv6/conf/all/forwarding');
    }
    this.forwardFrom(networks);
    if (!this.firewall) return;
    const endpoints = this.#endpoints.values().filter(({ id }) => !this.leaving.has(id));
    const ports = this.#endpoints.values().flatMap((endpoint) => this.forFirewall(endpoint.networkId, endpoint.ports));
    const links = networks.map((network) => linkedPorts(network, endpoints));
    await Promise.all([
      networks.length > 0
        ? this.firewall.apply(
            networks.map((network) => ({ ...network, ...this.#everywhere })),
            ports,
            links.flat(),
          )
        : this.firewall.remove(),
      this.#guard.protect(
        networks.map(({ bridge }) => bridge),
        all.filter(isBorrowed).map(({ bridge }) => bridge),
        six,
      ),
      this.#zones.protect(networks.map(({ bridge }) => bridge)),
    ]);
    for (const [at, network] of networks.entries()) this.answerForLinked(network, links[at] ?? []);
  }

  /** The ports of a network's endpoint as the firewall takes them. */
  forFirewall(networkId: string, ports: readonly PublishedPort[]): PublishedPort[] {
    const network = this.#networks.get(networkId);
    if (network && isBorrowed(network)) return [];
    const isDirect = this.#options.directRouting || network?.trusted !== undefined;
    return ports.map((port) => (isDirect && isTranslated(port) ? { ...port, direct: true } : port));
  }

  /** Only after the rules that keep apart what is not linked, and never without them. */
  answerForLinked(network: NetworkRecord, links: readonly LinkedPort[]): void {
    if (!this.firewall) return;
    for (const [key, value] of answering(network, links)) this.#settings.set(key, value);
    if (!network.icc && links.length > 0) this.#settings.keep(answeringKey(network));
    else this.#settings.leave(answeringKey(network));
  }

  /** Has packets from our own bridges forwarded, as they are when a bridge is made unless the host's defaults are others. */
  forwardFrom(networks: readonly NetworkRecord[]): void {
    if (!this.#options.ipForward) return;
    for (const { bridge, subnets } of networks.filter(({ owned }) => owned)) {
      const isSix = subnets.some((subnet) => subnet.includes(':'));
      for (const family of isSix ? ['ipv4', 'ipv6'] : ['ipv4']) {
        this.#settings.switchOnIfThere(`${family}/conf/${bridge}/forwarding`);
      }
    }
  }

  /** Lets the host reach ports that are published on 127.0.0.1: such packets leave over the bridge. */
  routeLocal(networks: readonly NetworkRecord[]): void {
    if (!this.firewall) return;
    const own = networks.filter((network) => !isBorrowed(network));
    for (const { bridge } of own) this.#settings.switchOn(`ipv4/conf/${bridge}/route_localnet`);
  }

  /** Where others take our rules away, or drop our packets. */
  looks(): Look[] {
    return [
      { after: 'rules of the firewall', look: () => this.#mend() },
      { after: 'rules where another drops our packets', look: () => this.#guard.look() },
      { after: "firewalld's zone", look: () => this.#zones.look() },
      { after: "the kernel's settings", look: async () => this.#settings.look() },
    ];
  }

  close(): void {
    this.#settings.close();
  }

  async #mend(): Promise<void> {
    if (!this.#patience.isDue(table) || !(await this.firewall?.mend())) return;
    const pauseMs = this.#patience.spend(table);
    this.#log.warn(
      'rules of the firewall had been removed by somebody else, and were made anew',
      insistingOnRules(pauseMs),
    );
  }

  /** The firewall's facts that all networks have in common. */
  get #everywhere(): Partial<FirewallNetwork> {
    const { directRouting, acceptMark } = this.#options;
    return { ...(directRouting ? { directRouting } : {}), ...(acceptMark ? { acceptMark } : {}) };
  }
}
