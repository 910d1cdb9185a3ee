import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Mutex } from '@cleat/protocol/async/mutex';
import { Turns } from '@cleat/protocol/async/turns';
import { contains, parseCidr } from '@cleat/protocol/cidr';
import { conflict, forbidden, invalidParameter, messageOf, notFound } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import { netlabel, type networkKind } from '@cleat/protocol/kinds/network';
import type { Logger } from '@cleat/protocol/log';
import { dockerMac } from '@cleat/protocol/mac';
import { DurableMap } from '../state.js';
import { isLinkName, readSubLinkNetwork, readVlan } from './sub-link-options.js';
import type { SubLinkEndpoint, SubLinkHost, SubLinkNetwork, SubLinkType } from './sub-links.js';

type Driver = Handlers<typeof networkKind>;

export interface SubLinkSettings {
  type: SubLinkType;
  host: SubLinkHost;
  /** Directory for its files. */
  stateDir: string;
  log: Logger;
}

/**
 * A network driver whose interfaces are links on one of the host's (moby `daemon/libnetwork/drivers/macvlan`,
 * `…/ipvlan`). Containers are on the parent's network, without a bridge and without published ports; the host's own
 * addresses on the parent do not reach them.
 */
export class SubLinkDriver {
  readonly #type: SubLinkType;
  readonly #host: SubLinkHost;
  readonly #log: Logger;
  readonly #networks: DurableMap<SubLinkNetwork>;
  readonly #endpoints: DurableMap<SubLinkEndpoint>;
  /** Parents come and go one at a time. */
  readonly #mutex = new Mutex();
  /** An endpoint is deleted after the Join whose caller went away. */
  readonly #turns = new Turns();

  constructor({ type, host, stateDir, log }: SubLinkSettings) {
    this.#type = type;
    this.#host = host;
    this.#log = log;
    this.#networks = new DurableMap(`${stateDir}/networks.journal`, log);
    this.#endpoints = new DurableMap(`${stateDir}/endpoints.journal`, log);
  }

  /** Makes parents anew that a reboot took. If a parent cannot be made now, it is made when a container needs it. */
  async restore(): Promise<void> {
    for (const network of this.#networks.values()) {
      await this.#inTurn(() => this.#ensureParent(network)).catch((error: unknown) =>
        this.#log.warn('the parent of a network is missing', { network: network.id, error: messageOf(error) }),
      );
    }
  }

  close(): void {
    this.#networks.close();
    this.#endpoints.close();
  }

  handlers(): Driver {
    return {
      GetCapabilities: () => ({
        Scope: 'local',
        ConnectivityScope: 'global',
        GwAllocChecker: true,
        // Not `LinksDieWithSandbox`: the kernel takes a namespace apart in the background, and until then it refuses
        // another link with the same MAC address.
        JoinsInSandbox: true,
      }),
      // The gateway is a router out there: it has no address of this network's unless a user names it.
      GwAllocCheck: () => ({ SkipIPv4: true, SkipIPv6: true }),
      CreateNetwork: (request) => this.#inTurn(() => this.#createNetwork(request)),
      DeleteNetwork: ({ NetworkID }) => this.#inTurn(() => this.#deleteNetwork(NetworkID)),
      CreateEndpoint: (request) => this.#createEndpoint(request),
      DeleteEndpoint: ({ EndpointID }) => this.#turns.run(EndpointID, () => this.#deleteEndpoint(EndpointID)),
      EndpointOperInfo: ({ EndpointID }) => {
        this.#endpoint(EndpointID);
        return { Value: {} };
      },
      Join: ({ EndpointID, Options }) =>
        this.#turns.run(EndpointID, () => this.#join(EndpointID, Number(Options?.[netlabel.sandboxPid] ?? 0))),
      Leave: () => {},
    };
  }

  async #createNetwork(request: Parameters<Driver['CreateNetwork']>[0]): Promise<void> {
    const { NetworkID, Options, IPv4Data, IPv6Data } = request;
    const ipam = { four: IPv4Data, six: IPv6Data };
    const network = this.#withParent(readSubLinkNetwork(this.#type, NetworkID, Options ?? {}, ipam));
    const before = this.#networks.get(NetworkID);
    // Asked again by an engine that did not hear the answer.
    if (before && isDeepStrictEqual({ ...before, made: network.made }, network)) return this.#ensureParent(before);
    if (before) throw conflict(`network ${NetworkID} exists already`);
    // On record before it is done: killed in between, the next one knows what to remove.
    this.#networks.set(NetworkID, network);
    try {
      await this.#ensureParent(network);
      await this.#host.require(this.#type.name, network.parent);
    } catch (error) {
      await this.#removeParent(network);
      this.#networks.delete(NetworkID);
      throw error;
    }
  }

  /** Whether the parent is to be made here, or is another network's that was. @throws in moby's words when it cannot be */
  #withParent(network: SubLinkNetwork): SubLinkNetwork {
    const { parent } = network;
    const others = this.#networks.values().filter((other) => other.parent === parent && other.id !== network.id);
    for (const other of others) this.#type.refuseSharing(network, other);
    if (network.made) return network;
    const made = others.find((other) => other.made)?.made;
    if (made) return { ...network, made };
    if (this.#host.exists(parent)) {
      if (isLinkName(parent)) return network;
      throw invalidParameter(`${JSON.stringify(parent)} cannot be a parent: rename the interface`);
    }
    readVlan(parent, (link) => this.#host.exists(link));
    return { ...network, made: 'vlan' };
  }

  async #ensureParent({ parent, made }: SubLinkNetwork): Promise<void> {
    if (this.#host.exists(parent)) return;
    if (made === 'isolated') return this.#host.makeIsolated(parent);
    if (!made) throw notFound(`the requested parent interface ${parent} was not found on the Docker host`);
    const { master, id } = readVlan(parent, (link) => this.#host.exists(link));
    await this.#host.makeVlan(parent, master, id);
  }

  async #removeParent({ id, parent, made }: SubLinkNetwork): Promise<void> {
    const isShared = this.#networks.values().some((other) => other.parent === parent && other.id !== id);
    if (made && !isShared) await this.#host.removeParent(parent);
  }

  async #deleteNetwork(id: string): Promise<void> {
    const network = this.#networks.get(id);
    if (!network) return;
    if (this.#endpoints.values().some(({ networkId }) => networkId === id)) {
      throw forbidden(`network ${id} has active endpoints`);
    }
    // Forgotten last: killed in between, the next one is asked again and has something to go by.
    await this.#removeParent(network);
    this.#networks.delete(id);
  }

  async #createEndpoint(request: Parameters<Driver['CreateEndpoint']>[0]) {
    const { NetworkID, EndpointID, Interface, Options } = request;
    const network = this.#network(NetworkID);
    const { name, hasOwnMac } = this.#type;
    if (this.#endpoints.get(EndpointID)) throw conflict(`endpoint ${EndpointID} exists already`);
    const asked = Interface?.MacAddress ?? '';
    if (asked && !hasOwnMac) throw invalidParameter(`${name} interfaces do not support custom mac address assignment`);
    if (isFilled(Options?.[netlabel.portMap])) this.#log.warn(`${name} driver does not support port mappings`);
    if (isFilled(Options?.[netlabel.exposedPorts])) this.#log.warn(`${name} driver does not support port exposures`);
    const mac = asked || (await this.#macFor(network));
    this.#endpoints.set(EndpointID, {
      v: 1,
      id: EndpointID,
      networkId: NetworkID,
      link: `veth${randomBytes(4).toString('hex').slice(0, 7)}`,
      mac,
      ip: Interface?.Address ?? '',
      ip6: Interface?.AddressIPv6 ?? '',
    });
    return { Interface: asked || !mac ? {} : { MacAddress: mac } };
  }

  /** Random, locally administered and for one receiver only, as moby has it; or the parent's. */
  async #macFor(network: SubLinkNetwork): Promise<string> {
    if (this.#type.takesParentMac(network)) return await this.#host.macOf(network.parent);
    if (!this.#type.hasOwnMac) return '';
    return dockerMac(randomBytes(4).toString('hex'));
  }

  async #deleteEndpoint(id: string): Promise<void> {
    const endpoint = this.#endpoints.get(id);
    if (!endpoint) return;
    await this.#host.remove(endpoint.link);
    this.#endpoints.delete(id);
  }

  async #join(id: string, sandboxPid: number) {
    const endpoint = this.#endpoint(id);
    const network = this.#network(endpoint.networkId);
    await this.#inTurn(() => this.#ensureParent(network));
    // A Join that is repeated, after the engine did not hear the first answer.
    await this.#host.remove(endpoint.link);
    const { link: name, mac } = endpoint;
    const { parent, mtu } = network;
    // A failed Join is followed by DeleteEndpoint, which removes what was made.
    await this.#host.add({ name, parent, type: this.#type.linkType(network), mac, mtu, pid: sandboxPid });
    return {
      InterfaceName: { SrcName: name, DstPrefix: 'eth', ...(sandboxPid > 0 ? { InSandbox: true } : {}) },
      ...this.#routes(network, endpoint),
      // Docker's way out of a container is the parent's network, or none.
      DisableGatewayService: true,
    };
  }

  #routes(network: SubLinkNetwork, { ip, ip6 }: SubLinkEndpoint) {
    if (network.internal) return {};
    if (this.#type.isRouted(network)) {
      const everywhere = [...(ip ? ['0.0.0.0/0'] : []), ...(ip6 ? ['::/0'] : [])];
      return { StaticRoutes: everywhere.map((Destination) => ({ Destination, RouteType: 1 })) };
    }
    return { Gateway: gatewayOf(network, ip, 4), GatewayIPv6: gatewayOf(network, ip6, 6) };
  }

  #network(id: string): SubLinkNetwork {
    const network = this.#networks.get(id);
    if (!network) throw notFound(`network not found: ${id}`);
    return network;
  }

  #endpoint(id: string): SubLinkEndpoint {
    const endpoint = this.#endpoints.get(id);
    if (!endpoint) throw notFound(`could not find endpoint with id ${id}`);
    return endpoint;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(work);
  }
}

const isFilled = (list: unknown): boolean => Array.isArray(list) && list.length > 0;

/** The gateway of the subnet that the address is of; empty: that has none. @throws InvalidParameter without a subnet */
function gatewayOf({ subnets }: SubLinkNetwork, address: string, family: 4 | 6): string {
  if (!address) return '';
  const own = parseCidr(address);
  const subnet = subnets.find(({ pool }) => {
    const { block } = parseCidr(pool);
    return block.prefix === own.block.prefix && contains(block, own.address);
  });
  if (!subnet) throw invalidParameter(`could not find a valid ipv${family} subnet for the address ${address}`);
  return subnet.gateway.split('/')[0] ?? '';
}
