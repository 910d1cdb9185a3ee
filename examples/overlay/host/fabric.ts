import { messageOf } from '@cleat/protocol/errors';
import type { NamedEndpoint } from '@cleat/protocol/kinds/network';
import { type DurableMap, type Logger, notFound, turns } from '@cleat/sdk';
import { tryParseAddress } from '@cleat/sdk/addresses';
import type { Addresses, Claim } from '../cluster/addresses.js';
import type { Keys } from '../cluster/keys.js';
import { readClaim, readHost, type SharedClaim, type SharedHost } from '../cluster/shared.js';
import type { Mirror } from '../etcd/mirror.js';
import type { Devices, Tunnel } from './devices.js';
import type { Neighbour, Neighbours } from './neighbours.js';
import { mtuOf, tunnelMtu, underlayMtu } from './underlay.js';
import type { Wireguard } from './wireguard.js';

/** A network as this host has it. */
export interface LocalNetwork {
  /** Its name on all hosts. */
  name: string;
  /** Absent: others have its subnets by now, so that it is on this host alone. */
  vni?: number | undefined;
  encrypted: boolean;
  mtu: number;
  /** Its subnets, CIDR. */
  pools: string[];
}

export interface LocalEndpoint {
  networkId: string;
  /** Without prefix. */
  addresses: string[];
}

export interface FabricSettings {
  /** This host's own ID. */
  host: string;
  /** Its address on the underlay. */
  address: string;
  vxlanPort: number;
  encryptedPort: number;
  networks: DurableMap<LocalNetwork>;
  endpoints: DurableMap<LocalEndpoint>;
  devices: Devices;
  neighbours: Neighbours;
  wireguard: Wireguard;
  addresses: Addresses;
  mirror: Mirror;
  keys: Keys;
  log: Logger;
}

/** Makes this host's links what etcd says: who is where, and by which tunnel. */
export class Fabric {
  readonly #settings: FabricSettings;
  readonly #inTurn = turns();
  readonly #listeners = new Set<() => void>();
  #isRefreshing = false;
  #refreshed = Promise.resolve();
  #again = false;
  #ended = false;
  /** By network, which is looked at every few seconds: the complaint that was told. */
  readonly #complaints = new Map<string, string | undefined>();

  constructor(settings: FabricSettings) {
    this.#settings = settings;
  }

  /** @throws NotFound */
  network(networkId: string): LocalNetwork {
    const network = this.#settings.networks.get(networkId);
    if (!network) throw notFound(`network ${networkId} not found`);
    return network;
  }

  /** The MTU that fits a network on this host's underlay. */
  async mtu(encrypted: boolean): Promise<number> {
    const { address } = this.#settings;
    return mtuOf(await underlayMtu(address), address, encrypted);
  }

  /** Makes the links of a network and tells them where everybody is. @throws Unavailable, System */
  async ensure(networkId: string): Promise<void> {
    this.#settings.devices.lookAgain();
    await this.#ensure(networkId);
  }

  #ensure(networkId: string): Promise<void> {
    return this.#inTurn(networkId, async () => {
      const { networks, devices, neighbours, mirror } = this.#settings;
      const network = networks.get(networkId);
      // It was removed meanwhile.
      if (!network) return;
      const vxlan = devices.vxlan(networkId);
      if (network.encrypted) await this.ensureWireguard();
      const tunnel = this.#tunnel(network);
      if (await devices.ensure(networkId, network.mtu, tunnel)) neighbours.forget(vxlan);
      if (!tunnel) return;
      // Before etcd was heard for the first time, the kernel knows more than we do.
      if (mirror.isWhole) await neighbours.tell(vxlan, this.#neighboursOn(network));
    });
  }

  /** Another number for a network, or none at all. */
  renumber(networkId: string, vni: number | undefined): Promise<void> {
    return this.#inTurn(networkId, async () => {
      const { networks, devices, neighbours } = this.#settings;
      const network = networks.get(networkId);
      if (!network || network.vni === vni) return;
      networks.set(networkId, { ...network, vni });
      await devices.disconnect(networkId);
      neighbours.forget(devices.vxlan(networkId));
    });
  }

  #tunnel({ vni, encrypted }: LocalNetwork): Tunnel | undefined {
    if (vni === undefined) return undefined;
    const { address, vxlanPort, encryptedPort, wireguard } = this.#settings;
    if (!encrypted) return { vni, local: address, port: vxlanPort };
    const local = wireguard.innerAddress(wireguard.publicKey);
    return { vni, local, port: encryptedPort, through: wireguard.link };
  }

  /** The tunnel to other hosts with encrypted networks, with all of them in it. @throws Unavailable where it cannot be */
  ensureWireguard(): Promise<void> {
    return this.#inTurn('wireguard', async () => {
      const { address, wireguard, mirror } = this.#settings;
      const isNew = !wireguard.isThere;
      if (isNew) await wireguard.make(tunnelMtu(await underlayMtu(address), address));
      if (!isNew && !mirror.isWhole) return;
      const peers = this.#otherHosts().flatMap((other) =>
        other.wireguard ? [{ ...other.wireguard, address: other.address }] : [],
      );
      await wireguard.setPeers(peers);
    });
  }

  /** Firewalls are reloaded now and then, and forget. */
  async assertRules(): Promise<void> {
    const { networks, wireguard } = this.#settings;
    const encrypts = networks.values().some(({ encrypted }) => encrypted);
    if (encrypts && wireguard.isThere) await wireguard.refuseUnencrypted();
  }

  /** Takes a network's links away. */
  remove(networkId: string): Promise<void> {
    return this.#inTurn(networkId, async () => {
      const { networks, devices, neighbours, wireguard } = this.#settings;
      await devices.remove(networkId);
      neighbours.forget(devices.vxlan(networkId));
      networks.delete(networkId);
      this.#complaints.delete(networkId);
      if (networks.size === 0) devices.removeAll();
      const encrypted = networks.values().some((network) => network.encrypted);
      if (!encrypted) await this.#inTurn('wireguard', () => wireguard.remove());
    });
  }

  #otherHosts(): SharedHost[] {
    const { mirror, keys, host } = this.#settings;
    const others = mirror.below(keys.hosts).filter(([key]) => key !== keys.host(host));
    return others.flatMap(([, value]) => readHost(value) ?? []);
  }

  /** The containers of other hosts on a network. What this host has claimed itself is here, whatever others say. */
  #claimsOn({ name }: LocalNetwork): (SharedClaim & { address: string })[] {
    const { mirror, keys, addresses, host } = this.#settings;
    const own = new Set(addresses.ownOn(name).map(({ address }) => address));
    return mirror.below(keys.addressesOf(name)).flatMap(([key, value]) => {
      const claim = readClaim(value);
      const { address } = keys.readAddress(key);
      if (!claim || !tryParseAddress(address) || claim.host === host || own.has(address)) return [];
      return [{ ...claim, address }];
    });
  }

  #neighboursOn(network: LocalNetwork): Neighbour[] {
    const { mirror, keys, wireguard } = this.#settings;
    return this.#claimsOn(network).flatMap(({ address, mac, host }) => {
      const other = readHost(mirror.get(keys.host(host)) ?? '');
      const where = network.encrypted
        ? other?.wireguard && wireguard.innerAddress(other.wireguard.publicKey)
        : other?.address;
      return where ? [{ address, mac, host: where }] : [];
    });
  }

  /** The containers of other hosts on a network, by their names; undefined before etcd was heard for the first time. */
  namesOn(networkId: string): NamedEndpoint[] | undefined {
    const { mirror, networks } = this.#settings;
    const network = networks.get(networkId);
    if (!network || !mirror.isWhole) return undefined;
    const byHolder = new Map<string, NamedEndpoint>();
    for (const { host, holder, container, names, address } of this.#claimsOn(network)) {
      const Names = names ?? (container ? [container] : []);
      if (Names.length === 0) continue;
      // An endpoint may have an address of each family.
      const key = `${host} ${holder || container}`;
      const known = byHolder.get(key) ?? { Names, Addresses: [] };
      known.Addresses.push(address);
      byHolder.set(key, known);
    }
    return [...byHolder.values()];
  }

  /** @param listener called after etcd told something @returns a function that ends it */
  onNews(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Etcd told something. */
  news(): void {
    for (const listener of this.#listeners) listener();
    this.refresh();
  }

  /** Looks after the links, soon: somebody may have removed some. */
  lookAfter(): void {
    this.#settings.devices.lookAgain();
    this.refresh();
  }

  /** All networks, soon. */
  refresh(): void {
    this.#again = true;
    if (!this.#isRefreshing) this.#refreshed = this.#refresh();
  }

  /** No refresh is under way, or begins. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#refreshed;
  }

  async #refresh(): Promise<void> {
    this.#isRefreshing = true;
    while (this.#again && !this.#ended) {
      this.#again = false;
      for (const [networkId, { name }] of this.#settings.networks.entries()) {
        const complaint = await this.#ensure(networkId).then(() => undefined, messageOf);
        if (complaint !== undefined && complaint !== this.#complaints.get(networkId)) {
          this.#settings.log.warn('a network is not what it should be', { network: name, error: complaint });
        }
        this.#complaints.set(networkId, complaint);
      }
    }
    this.#isRefreshing = false;
  }

  /** Others have got these addresses meanwhile: who had them here is no longer on the network. */
  async cutOff(lost: readonly Claim[]): Promise<void> {
    const { endpoints, networks, devices, log } = this.#settings;
    for (const { network, address, container } of lost) {
      log.error('another host has got an address meanwhile: the container is cut off', { network, address, container });
      for (const [endpointId, endpoint] of endpoints.entries()) {
        const isIt = networks.get(endpoint.networkId)?.name === network && endpoint.addresses.includes(address);
        if (isIt) await devices.cutOff(endpointId);
      }
    }
  }
}
