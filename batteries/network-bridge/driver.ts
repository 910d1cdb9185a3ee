import { isDeepStrictEqual } from 'node:util';
import { Firewall } from '@cleat/linux/firewall/firewall';
import { ForeignChanges } from '@cleat/linux/firewall/foreign-changes';
import { type FirewallNetwork, isTranslated, type LinkedPort, type PublishedPort } from '@cleat/linux/firewall/ruleset';
import { hostState, interfaceNames, writeSysctl } from '@cleat/linux/net/facts';
import { type HostLinks, hostLinks } from '@cleat/linux/net/links';
import { Mutex } from '@cleat/protocol/async/mutex';
import { conflict, forbidden, invalidParameter, messageOf, notFound } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import { netlabel, type networkKind, type OpenedLink, type PortBinding } from '@cleat/protocol/kinds/network';
import type { Logger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk';
import { isDamaged } from './damage.js';
import { ensureBridge, removeBridge } from './device.js';
import { ForwardGuard } from './guard.js';
import { answering, isLinked, linkedPorts, readLinks } from './linked.js';
import { LinkSweeper, macFor, makeLinks, newLinkName, putOnBridge } from './links.js';
import { readNetwork, withoutGateways } from './network-options.js';
import type { BridgeOptions } from './options.js';
import { HostPorts, protocolNumber } from './ports.js';
import { PortProxy } from './proxy/proxy.js';
import { Publisher } from './publisher.js';
import type { EndpointRecord, NetworkRecord } from './state.js';
import { HostWatch } from './watch.js';
import { Zones } from './zones.js';

type Driver = Handlers<typeof networkKind>;

/** Docker's bridge driver behind the remote driver protocol; all it knows is in files, in the kernel, or in both. */
export class BridgeDriver {
  readonly #options: BridgeOptions;
  readonly #log: Logger;
  readonly #links: HostLinks = hostLinks();
  readonly #networks: DurableMap<NetworkRecord>;
  readonly #endpoints: DurableMap<EndpointRecord>;
  readonly #firewall: Firewall | undefined;
  readonly #guard: ForwardGuard;
  readonly #zones: Zones;
  readonly #watch: HostWatch;
  readonly #sweeper: LinkSweeper;
  readonly #proxy: PortProxy;
  readonly #ports: HostPorts;
  readonly #publisher: Publisher;
  /** By network and address: the interface of the endpoint that had it last. */
  readonly #former = new Map<string, string>();
  /** Endpoints that are being deleted. */
  readonly #leaving = new Set<string>();
  /** Networks come and go one at a time. */
  readonly #mutex = new Mutex();

  constructor(options: BridgeOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#networks = new DurableMap(`${options.stateDir}/networks.journal`, log);
    this.#endpoints = new DurableMap(`${options.stateDir}/endpoints.journal`, log);
    const tag = options.engineId.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 12);
    const foreign = new ForeignChanges();
    this.#firewall = options.firewall ? new Firewall(`cleat_${tag}`, foreign) : undefined;
    this.#guard = new ForwardGuard(`cleat:${tag}`, foreign, log);
    this.#zones = new Zones(foreign, log);
    this.#watch = new HostWatch(
      [
        { after: 'bridges', look: () => this.#mendBridges() },
        { after: 'rules of the firewall', look: () => this.#mendRules() },
        { after: 'rules where another drops our packets', look: () => this.#guard.look() },
        { after: "firewalld's zone", look: () => this.#zones.look() },
      ],
      log,
    );
    this.#proxy = new PortProxy(options.stateDir, log);
    this.#ports = new HostPorts(this.#proxy);
    this.#publisher = new Publisher({
      endpoints: this.#endpoints,
      firewall: this.#firewall,
      ports: this.#ports,
      log,
      restoreRules: () => this.#applyRules(),
      forFirewall: (networkId, ports) => this.#forFirewall(networkId, ports),
      routeLocal: (network) => this.#routeLocal([network]),
    });
    this.#sweeper = new LinkSweeper(`${options.stateDir}/links.journal`, this.#links, log);
  }

  /**
   * After a start: networks get back what a reboot took, rules are made anew, ports are held again. A network that
   * cannot be restored is reported and does not stop the others.
   */
  async restore(): Promise<void> {
    for (const network of this.#networks.values()) {
      await this.#remake(network).catch((error: unknown) =>
        this.#log.error('a network could not be restored', { network: network.id, error: messageOf(error) }),
      );
    }
    for (const endpoint of this.#endpoints.values()) {
      for (const port of await this.#ports.restore(endpoint.ports)) {
        this.#log.warn('a published port was taken by another process meanwhile', { ...port });
      }
    }
    if (this.#networks.values().length === 0) return;
    await this.#applyRules().catch((error: unknown) =>
      this.#log.error('the firewall rules could not be restored', { error: messageOf(error) }),
    );
    this.#routeLocal(this.#networks.values().filter(({ id }) => this.#publishes(id)));
  }

  /**
   * Leaves endpoints and their networks as they are: containers outlive their engine. A network that no container is on
   * leaves the host, and is made anew by {@link restore}.
   */
  async close(): Promise<void> {
    await this.#watch.stop();
    await this.#sweeper.close();
    await this.#inTurn(() => this.#removeIdle());
    await this.#proxy.end();
    for (const { ports } of this.#endpoints.values()) await this.#ports.release(ports);
    this.#networks.close();
    this.#endpoints.close();
  }

  /** Somebody deleted them, set them down, or took their addresses. */
  async #mendBridges(): Promise<void> {
    const damaged = (host = hostState()) =>
      this.#networks.values().filter((network) => !network.making && isDamaged(network, host));
    if (damaged().length === 0) return;
    await this.#inTurn(async () => {
      for (const network of damaged()) {
        await this.#remake(network);
        this.#log.warn('a bridge had been changed by somebody else, and was made anew', { bridge: network.bridge });
      }
    });
  }

  async #mendRules(): Promise<void> {
    if (await this.#firewall?.mend()) {
      this.#log.warn('rules of the firewall had been removed by somebody else, and were made anew');
    }
  }

  /** The bridge as it was, with the interfaces of containers that run. */
  async #remake(network: NetworkRecord): Promise<void> {
    await ensureBridge(network, this.#links, this.#options.engineId, !network.owned);
    if (network.making) this.#networks.set(network.id, { ...network, making: undefined });
    const there = interfaceNames();
    const own = this.#endpoints.values().filter(({ networkId }) => networkId === network.id);
    const left = own.filter(({ hostLink }) => there.has(hostLink));
    await this.#links.run(left.flatMap(({ hostLink }) => putOnBridge(network, hostLink)));
    if (this.#publishes(network.id)) this.#routeLocal([network]);
    this.#answerForLinked(network, linkedPorts(network, own));
  }

  #publishes(id: string): boolean {
    return this.#endpoints.values().some(({ networkId, ports }) => networkId === id && ports.length > 0);
  }

  /** The next start makes them anew. */
  async #removeIdle(): Promise<void> {
    const inUse = new Set(this.#endpoints.values().map(({ networkId }) => networkId));
    const idle = this.#networks.values().filter(({ id, owned }) => owned && !inUse.has(id));
    if (idle.length === 0) return;
    try {
      for (const { bridge } of idle) await removeBridge(bridge, this.#links);
      await this.#applyRules(this.#networks.values().filter((network) => !idle.includes(network)));
    } catch (error) {
      this.#log.error('networks without containers were not removed from this host', { error: messageOf(error) });
    }
  }

  handlers(): Driver {
    return {
      GetCapabilities: () => ({
        Scope: 'local',
        ConnectivityScope: 'local',
        GwAllocChecker: true,
        ServesPublishedPorts: true,
        PublishesPerFamily: true,
        LinksDieWithSandbox: true,
        JoinsInSandbox: true,
        OpensLinks: true,
      }),
      GwAllocCheck: ({ Options }) => withoutGateways(Options ?? {}),
      CreateNetwork: (request) => this.#inTurn(() => this.#createNetwork(request)),
      DeleteNetwork: ({ NetworkID }) => this.#inTurn(() => this.#deleteNetwork(NetworkID)),
      CreateEndpoint: async (request) => this.#createEndpoint(request),
      DeleteEndpoint: ({ EndpointID }) => this.#deleteEndpoint(EndpointID),
      EndpointOperInfo: ({ EndpointID }) => this.#operInfo(EndpointID),
      Join: ({ EndpointID, Options }) => this.#join(EndpointID, Number(Options?.[netlabel.sandboxPid] ?? 0)),
      Leave: () => {},
      ProgramExternalConnectivity: ({ EndpointID, Options }) =>
        this.#publisher.publish(EndpointID, this.#network(this.#endpoint(EndpointID).networkId), Options ?? {}),
      RevokeExternalConnectivity: ({ EndpointID }) => this.#publisher.unpublish(EndpointID),
      OpenLinks: ({ EndpointID, Links }) => this.#openLinks(EndpointID, Links),
    };
  }

  async #createNetwork(request: Parameters<Driver['CreateNetwork']>[0]): Promise<void> {
    const { NetworkID, Options, IPv4Data, IPv6Data } = request;
    const ipam = [...IPv4Data, ...IPv6Data];
    const { isDefault = false, ...record } = readNetwork(NetworkID, Options ?? {}, ipam, this.#options.defaults);
    const before = this.#networks.get(NetworkID);
    // Asked again by an engine that did not hear the answer.
    if (before && isDeepStrictEqual(comparable(before), comparable(record))) return;
    if (before) throw conflict(`network ${NetworkID} exists already`);
    const sharing = this.#networks.values().find(({ bridge }) => bridge === record.bridge);
    if (sharing) throw forbidden(`networks have same bridge name: ${record.bridge} is that of network ${sharing.id}`);
    const mayAdopt = isDefault && record.bridge !== this.#options.defaultDevice;
    let owned = false;
    // On record before it is done: killed in between, the next one knows whose the device is.
    const begin = () => {
      owned = true;
      this.#networks.set(NetworkID, { ...record, owned, isDefault, making: true });
    };
    try {
      owned = await ensureBridge(record, this.#links, this.#options.engineId, mayAdopt, begin);
      this.#networks.set(NetworkID, { ...record, owned, isDefault });
      await this.#applyRules();
    } catch (error) {
      if (owned) await removeBridge(record.bridge, this.#links);
      this.#networks.delete(NetworkID);
      throw error;
    }
  }

  async #deleteNetwork(id: string): Promise<void> {
    const network = this.#networks.get(id);
    if (!network) return;
    if (this.#endpoints.values().some(({ networkId }) => networkId === id)) {
      throw forbidden(`network ${id} has active endpoints`);
    }
    await this.#sweeper.now();
    // Forgotten last: killed in between, the next one is asked again and has something to go by.
    await this.#applyRules(this.#networks.values().filter((other) => other !== network));
    if (network.owned) await removeBridge(network.bridge, this.#links);
    this.#networks.delete(id);
    for (const address of [...this.#former.keys()]) if (address.startsWith(`${id} `)) this.#former.delete(address);
  }

  #createEndpoint(request: Parameters<Driver['CreateEndpoint']>[0]) {
    const { NetworkID, EndpointID, Interface } = request;
    this.#network(NetworkID);
    if (this.#endpoints.get(EndpointID)) throw conflict(`endpoint ${EndpointID} exists already`);
    const ip = Interface?.Address?.split('/')[0] ?? '';
    const endpoint: EndpointRecord = {
      v: 1,
      id: EndpointID,
      networkId: NetworkID,
      hostLink: newLinkName(),
      containerLink: newLinkName(),
      mac: Interface?.MacAddress || macFor(ip),
      ip,
      ip6: Interface?.AddressIPv6?.split('/')[0] ?? '',
      ports: [],
    };
    this.#endpoints.set(EndpointID, endpoint);
    return { Interface: Interface?.MacAddress ? {} : { MacAddress: endpoint.mac } };
  }

  async #deleteEndpoint(id: string): Promise<void> {
    const endpoint = this.#endpoints.get(id);
    if (!endpoint) return;
    await this.#publisher.unpublish(id);
    this.#leaving.add(id);
    // Its addresses may be another's soon.
    if (isLinked(endpoint, this.#endpoints.values())) await this.#applyRules();
    this.#endpoints.delete(id);
    this.#leaving.delete(id);
    this.#sweeper.later(endpoint.hostLink);
    for (const address of addressesOf(endpoint)) this.#former.set(address, endpoint.hostLink);
  }

  /**
   * The kernel takes a sandbox apart in the background; until then it answers for an address that another has by now.
   */
  async #removeFormer(endpoint: EndpointRecord): Promise<void> {
    for (const address of addressesOf(endpoint)) {
      const link = this.#former.get(address);
      this.#former.delete(address);
      if (link) await this.#links.remove(link);
    }
  }

  async #join(id: string, sandboxPid: number) {
    const endpoint = this.#endpoint(id);
    const network = this.#network(endpoint.networkId);
    // Somebody removed it by hand.
    if (!interfaceNames().has(network.bridge)) await this.#inTurn(() => this.#remake(network));
    await this.#removeFormer(endpoint);
    // A failed Join is followed by DeleteEndpoint, which removes what was made.
    await makeLinks(this.#links, network, endpoint, sandboxPid);
    const gateway = (six: boolean) =>
      (!network.internal && network.gateways.find((cidr) => cidr.includes(':') === six)?.split('/')[0]) || '';
    return {
      InterfaceName: {
        SrcName: endpoint.containerLink,
        DstPrefix: network.prefix,
        ...(sandboxPid > 0 ? { InSandbox: true } : {}),
      },
      Gateway: endpoint.ip ? gateway(false) : '',
      GatewayIPv6: endpoint.ip6 ? gateway(true) : '',
    };
  }

  #operInfo(id: string) {
    const { mac, ports } = this.#endpoint(id);
    const portMap = ports.map(
      (port): PortBinding => ({
        Proto: protocolNumber[port.protocol],
        Port: port.containerPort,
        HostIP: port.hostIp,
        HostPort: port.hostPort,
      }),
    );
    return { Value: { [netlabel.macAddress]: mac, [netlabel.portMap]: portMap } };
  }

  async #openLinks(id: string, requested: readonly OpenedLink[]): Promise<void> {
    const endpoint = this.#endpoint(id);
    const links = readLinks(requested);
    if (this.#network(endpoint.networkId).icc || isDeepStrictEqual(links, endpoint.links ?? [])) return;
    if (!this.#firewall) {
      throw invalidParameter(
        'links do not work on a network without inter-container communication while iptables is off',
      );
    }
    this.#endpoints.set(id, { ...endpoint, links });
    await this.#applyRules();
  }

  /** Only after the rules that keep apart what is not linked, and never without them. */
  #answerForLinked(network: NetworkRecord, links: readonly LinkedPort[]): void {
    if (!this.#firewall) return;
    for (const [key, value] of answering(network, links)) this.#sysctl(key, value);
  }

  /** Lets the host reach ports that are published on 127.0.0.1: such packets leave over the bridge. */
  #routeLocal(networks: readonly NetworkRecord[]): void {
    if (!this.#firewall) return;
    for (const { bridge } of networks) this.#sysctl(`ipv4/conf/${bridge}/route_localnet`);
  }

  /** The firewall's facts that all networks have in common. */
  get #everywhere(): Partial<FirewallNetwork> {
    const { directRouting, acceptMark } = this.#options;
    return { ...(directRouting ? { directRouting } : {}), ...(acceptMark ? { acceptMark } : {}) };
  }

  #forFirewall(networkId: string, ports: readonly PublishedPort[]): PublishedPort[] {
    const isDirect = this.#options.directRouting || this.#networks.get(networkId)?.trusted !== undefined;
    return ports.map((port) => (isDirect && isTranslated(port) ? { ...port, direct: true } : port));
  }

  async #applyRules(networks = this.#networks.values()): Promise<void> {
    const six = networks.some(({ subnets }) => subnets.some((subnet) => subnet.includes(':')));
    if (networks.length > 0 && this.#options.ipForward) {
      this.#sysctl('ipv4/ip_forward');
      if (six) this.#sysctl('ipv6/conf/all/forwarding');
    }
    if (!this.#firewall) return;
    const endpoints = this.#endpoints.values().filter(({ id }) => !this.#leaving.has(id));
    const ports = this.#endpoints.values().flatMap((endpoint) => this.#forFirewall(endpoint.networkId, endpoint.ports));
    const links = networks.map((network) => linkedPorts(network, endpoints));
    await Promise.all([
      networks.length > 0
        ? this.#firewall.apply(
            networks.map((network) => ({ ...network, ...this.#everywhere })),
            ports,
            links.flat(),
          )
        : this.#firewall.remove(),
      this.#guard.protect(
        networks.map(({ bridge }) => bridge),
        six,
      ),
      this.#zones.protect(networks.map(({ bridge }) => bridge)),
    ]);
    if (networks.length > 0) this.#watch.start();
    for (const [at, network] of networks.entries()) this.#answerForLinked(network, links[at] ?? []);
  }

  /** Sets a sysctl; where /proc/sys is read-only the operator has to, and is told so. */
  #sysctl(key: string, value = '1'): void {
    try {
      writeSysctl(key, value);
    } catch (error) {
      this.#log.warn(`net/${key} could not be set to ${value}: set it yourself, or some connections will fail`, {
        error: messageOf(error),
      });
    }
  }

  #network(id: string): NetworkRecord {
    const network = this.#networks.get(id);
    if (!network) throw notFound(`network ${id} is not known to the bridge driver`);
    return network;
  }

  #endpoint(id: string): EndpointRecord {
    const endpoint = this.#endpoints.get(id);
    if (!endpoint) throw notFound(`endpoint ${id} is not known to the bridge driver`);
    return endpoint;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(work);
  }
}

/** Without what a request does not say. */
const comparable = ({ owned: _, isDefault: __, making: ___, ...network }: NetworkRecord) => network;

const addressesOf = ({ networkId, ip, ip6 }: EndpointRecord): string[] =>
  [ip, ip6].filter((address) => address !== '').map((address) => `${networkId} ${address}`);
