import type { NamedContainer, NamedElsewhere, NamedPlace } from '../messages.js';
import { Elsewhere } from './elsewhere.js';

/** A container's place on one network, as others there find it. */
interface Known {
  containerId: string;
  /** As it was written; the first is its own. */
  names: readonly string[];
  addresses: readonly string[];
}

interface NamedNetwork {
  name: string;
  /** By name, in lower case. */
  byName: Map<string, Known[]>;
  byAddress: Map<string, Known>;
  byContainer: Map<string, Known>;
}

/** The names of containers on each network. */
export class Directory {
  /** By ID. */
  readonly #networks = new Map<string, NamedNetwork>();
  /** By container: the networks on which it looks names up. */
  readonly #askers = new Map<string, NamedContainer>();
  /** By network: its endpoints on other hosts. */
  readonly #elsewhere = new Map<string, Elsewhere>();

  /** Makes a container known with all its places; replaces what was known of it. */
  enter(container: NamedContainer): void {
    this.leave(container.containerId);
    this.#askers.set(container.containerId, container);
    for (const place of container.places) this.#enter(container.containerId, place);
  }

  #enter(containerId: string, { networkId, networkName, names, addresses }: NamedPlace): void {
    const network = this.#networks.get(networkId) ?? {
      name: networkName,
      byName: new Map(),
      byAddress: new Map(),
      byContainer: new Map(),
    };
    this.#networks.set(networkId, network);
    const known: Known = { containerId, names, addresses };
    network.byContainer.set(containerId, known);
    for (const address of addresses) network.byAddress.set(address, known);
    for (const name of new Set(names.map(lower))) {
      network.byName.set(name, [...(network.byName.get(name) ?? []), known]);
    }
  }

  leave(containerId: string): void {
    const left = this.#askers.get(containerId)?.places ?? [];
    this.#askers.delete(containerId);
    for (const { networkId: id } of left) {
      const network = this.#networks.get(id);
      const known = network?.byContainer.get(containerId);
      if (!network || !known) continue;
      network.byContainer.delete(containerId);
      for (const address of known.addresses) {
        if (network.byAddress.get(address) === known) network.byAddress.delete(address);
      }
      for (const name of new Set(known.names.map(lower))) {
        const others = (network.byName.get(name) ?? []).filter((other) => other !== known);
        if (others.length > 0) network.byName.set(name, others);
        else network.byName.delete(name);
      }
      if (network.byContainer.size === 0) this.#networks.delete(id);
    }
  }

  /** Replaces what is known of a network's endpoints on other hosts. */
  enterElsewhere(networkId: string, endpoints: readonly NamedElsewhere[]): void {
    if (endpoints.length > 0) this.#elsewhere.set(networkId, new Elsewhere(endpoints));
    else this.#elsewhere.delete(networkId);
  }

  /** The same for all networks. */
  replaceElsewhere(all: Readonly<Record<string, readonly NamedElsewhere[]>>): void {
    this.#elsewhere.clear();
    for (const [networkId, endpoints] of Object.entries(all)) this.enterElsewhere(networkId, endpoints);
  }

  /**
   * Addresses of a name, as one container sees it: on each of its networks in turn, a link's alias before a name; and
   * `name.network`, where both may have dots. The containers of this host come first, on all of its networks.
   * @returns undefined when there is no such name
   */
  addressesOf(asker: string, name: string): string[] | undefined {
    return this.#here(asker, name) ?? this.#there(asker, name);
  }

  #there(asker: string, name: string): string[] | undefined {
    if (this.#elsewhere.size === 0) return undefined;
    for (const { name: wanted, network } of readings(lower(name))) {
      for (const { networkId, networkName } of this.#askers.get(asker)?.places ?? []) {
        if (network !== undefined && lower(networkName) !== network) continue;
        const found = this.#elsewhere.get(networkId)?.addressesOf(wanted, network !== undefined);
        if (found) return [...found];
      }
    }
    return undefined;
  }

  #here(asker: string, name: string): string[] | undefined {
    for (const { name: wanted, network } of readings(lower(name))) {
      for (const place of this.#askers.get(asker)?.places ?? []) {
        if (network !== undefined && lower(place.networkName) !== network) continue;
        const found = this.#lookUp(place, wanted);
        const [first] = found;
        if (first && found.length === 1) return [...first.addresses];
        if (first) return [...new Set(found.flatMap(({ addresses }) => addresses))];
      }
    }
    return undefined;
  }

  #lookUp({ networkId, links }: NamedPlace, name: string): readonly Known[] {
    const network = this.#networks.get(networkId);
    if (!network) return [];
    const link = links.find(({ alias }) => lower(alias) === name);
    if (!link) return network.byName.get(name) ?? [];
    if (link.containerId === undefined) return network.byName.get(lower(link.name)) ?? [];
    const known = network.byContainer.get(link.containerId);
    return known ? [known] : [];
  }

  /** `name.network` of an address on one of a container's networks. */
  nameOf(asker: string, address: string): string | undefined {
    for (const { networkId } of this.#askers.get(asker)?.places ?? []) {
      const network = this.#networks.get(networkId);
      const name = network?.byAddress.get(address)?.names[0];
      if (network && name) return `${name}.${network.name}`;
    }
    for (const { networkId, networkName } of this.#askers.get(asker)?.places ?? []) {
      const name = this.#elsewhere.get(networkId)?.nameOf(address);
      if (name) return `${name}.${networkName}`;
    }
    return undefined;
  }
}

const lower = (text: string): string => text.toLowerCase();

/** `a.b.c` may be a name on any network, `a.b` on network `c`, or `a` on network `b.c`. */
function* readings(text: string): Generator<{ name: string; network?: string }> {
  yield { name: text };
  for (let at = text.lastIndexOf('.'); at > 0; at = text.lastIndexOf('.', at - 1)) {
    yield { name: text.slice(0, at), network: text.slice(at + 1) };
  }
}
