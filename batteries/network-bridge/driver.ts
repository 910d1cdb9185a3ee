import { isDeepStrictEqual } from 'node:util';
import { type HostLinks, hostLinks } from '@cleat/linux/net/links';
import { Mutex } from '@cleat/protocol/async/mutex';
import { conflict, forbidden, invalidParameter, notFound } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import { netlabel, type networkKind, type OpenedLink, type PortBinding } from '@cleat/protocol/kinds/network';
import type { Logger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk';
import { borrowedBridge, pairOn } from './borrowed.js';
import { ensureBridge, hasBridge, ownBridges, removeBridge } from './device.js';
import { isLinked, readLinks } from './linked.js';
import { LinkSweeper, macFor, makeLinks, newLinkName } from './links.js';
import { readNetwork, withoutGateways } from './network-options.js';
import type { BridgeOptions } from './options.js';
import { protocolNumber } from './port-requests.js';
import { HostPorts } from './ports.js';
import { PortProxy } from './proxy/proxy.js';
import { Publisher } from './publisher.js';
import { BridgeRules } from './rules.js';
import { type EndpointRecord, isBorrowed, type NetworkRecord } from './state.js';
import { Upkeep } from './upkeep.js';

type Driver = Handlers<typeof networkKind>;

/** Docker's bridge driver behind the remote driver protocol; all it knows is in files, in the kernel, or in both. */
export class BridgeDriver {
  readonly #options: BridgeOptions;
  readonly #links: HostLinks = hostLinks();
  readonly #networks: DurableMap<NetworkRecord>;
  readonly #endpoints: DurableMap<EndpointRecord>;
  readonly #rules: BridgeRules;
  readonly #upkeep: Upkeep;
  readonly #sweeper: LinkSweeper;
  readonly #proxy: PortProxy;
  readonly #ports: HostPorts;
  readonly #publisher: Publisher;
  /** By network and address: the interface of the endpoint that had it last. */
  readonly #former = new Map<string, string>();
  /** Endpoints whose interface is being made. */
  readonly #joining = new Set<string>();
  /** Networks come and go one at a time. */
  readonly #mutex = new Mutex();

  constructor(options: BridgeOptions, log: Logger) {
    this.#options = options;
    this.#networks = new DurableMap(`${options.stateDir}/networks.journal`, log);
    this.#endpoints = new DurableMap(`${options.stateDir}/endpoints.journal`, log);
    this.#rules = new BridgeRules(options, this.#networks, this.#endpoints, log);
    this.#proxy = new PortProxy(options.stateDir, log);
    this.#ports = new HostPorts(this.#proxy);
    this.#upkeep = new Upkeep({
      engineId: options.engineId,
      networks: this.#networks,
      endpoints: this.#endpoints,
      links: this.#links,
      rules: this.#rules,
      ports: this.#ports,
      joining: this.#joining,
      mutex: this.#mutex,
      log,
    });
    this.#publisher = new Publisher({
      endpoints: this.#endpoints,
      rules: this.#rules,
      ports: this.#ports,
      log,
      restoreRules: () => this.#upkeep.applyRules(),
    });
    this.#sweeper = new LinkSweeper(`${options.stateDir}/links.journal`, this.#links, log);
  }

  restore(): Promise<void> {
    return this.#upkeep.restore();
  }

  /**
   * Leaves endpoints and their networks as they are: containers outlive their engine. A network that no container is on
   * leaves the host, and is made anew by {@link restore}.
   */
  async close(): Promise<void> {
    await this.#upkeep.stop();
    await this.#sweeper.close();
    await this.#inTurn(() => this.#upkeep.removeIdle());
    await this.#proxy.end();
    for (const { ports } of this.#endpoints.values()) await this.#ports.release(ports);
    this.#networks.close();
    this.#endpoints.close();
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
    const adopts = isDefault && record.bridge !== this.#options.defaultDevice;
    const untagged = adopts ? 'adopt' : isDefault ? 'refuse' : 'borrow';
    let owned = false;
    // On record before it is done: killed in between, the next one knows whose the device is.
    const begin = () => {
      owned = true;
      this.#networks.set(NetworkID, { ...record, owned, isDefault, making: true });
    };
    try {
      owned = await ensureBridge(record, this.#links, this.#options.engineId, untagged, begin);
      this.#networks.set(NetworkID, { ...record, owned, isDefault });
      await this.#upkeep.applyRules();
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
    const [own] = await Promise.all([
      network.owned ? ownBridges(this.#options.engineId) : undefined,
      this.#upkeep.applyRules(this.#networks.values().filter((other) => other !== network)),
    ]);
    if (own?.has(network.bridge)) await removeBridge(network.bridge, this.#links);
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
      mac: Interface?.MacAddress || this.#freeMac(NetworkID, ip),
      ip,
      ip6: Interface?.AddressIPv6?.split('/')[0] ?? '',
      ports: [],
    };
    this.#endpoints.set(EndpointID, endpoint);
    return { Interface: Interface?.MacAddress ? {} : { MacAddress: endpoint.mac } };
  }

  /** Somebody may have chosen for another container what would come of this one's address. */
  #freeMac(networkId: string, ip: string): string {
    const taken = new Set(
      this.#endpoints.values().flatMap((other) => (other.networkId === networkId ? other.mac : [])),
    );
    let mac = macFor(ip);
    while (taken.has(mac)) mac = macFor('');
    return mac;
  }

  async #deleteEndpoint(id: string): Promise<void> {
    const endpoint = this.#endpoints.get(id);
    if (!endpoint) return;
    await this.#publisher.unpublish(id);
    this.#rules.leaving.add(id);
    // Its addresses may be another's soon.
    if (isLinked(endpoint, this.#endpoints.values())) await this.#upkeep.applyRules();
    this.#endpoints.delete(id);
    this.#rules.leaving.delete(id);
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
    const borrowed = isBorrowed(network) ? await borrowedBridge(network) : undefined;
    // Somebody removed it by hand; another one of its name is refused.
    if (!borrowed && !hasBridge(network, this.#options.engineId))
      await this.#inTurn(() => this.#upkeep.remake(network));
    await this.#removeFormer(endpoint);
    const pair = borrowed && pairOn(borrowed, network);
    this.#joining.add(id);
    try {
      // A failed Join is followed by DeleteEndpoint, which removes what was made.
      await makeLinks(this.#links, network, endpoint, sandboxPid, pair);
    } finally {
      this.#joining.delete(id);
    }
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
    if (!this.#rules.firewall) {
      throw invalidParameter(
        'links do not work on a network without inter-container communication while iptables is off',
      );
    }
    this.#endpoints.set(id, { ...endpoint, links });
    await this.#upkeep.applyRules();
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

/** Without what a request does not say, and what older records do not. */
const comparable = ({ owned: _, isDefault: __, making: ___, ownMtu: ____, ...network }: NetworkRecord) => network;

const addressesOf = ({ networkId, ip, ip6 }: EndpointRecord): string[] =>
  [ip, ip6].filter((address) => address !== '').map((address) => `${networkId} ${address}`);
