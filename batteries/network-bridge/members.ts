import { LinkChanges } from '@cleat/linux/net/link-changes';
import { type LinkState, linkStates } from '@cleat/linux/syscall/route-links';
import type { DurableMap } from '@cleat/sdk';
import { hasBridge } from './device.js';
import { Identities } from './identities.js';
import { type EndpointRecord, isBorrowed, type NetworkRecord } from './state.js';

/** An interface of a container that is not as it was put on its bridge. */
export interface Stray {
  readonly endpoint: EndpointRecord;
  readonly network: NetworkRecord;
  /** The difference, for the log: `set down`. */
  readonly found: string;
  /** The name that it has by now; absent: its own. */
  readonly otherName?: string;
}

/**
 * Looks whether containers' interfaces are up, and on their bridge: the kernel tells which interfaces change, and only
 * those are looked at. What is inside of a container is its own business.
 */
export class Members {
  readonly #networks: DurableMap<NetworkRecord>;
  readonly #endpoints: DurableMap<EndpointRecord>;
  /** Endpoints whose interface is being made. */
  readonly #joining: ReadonlySet<string>;
  readonly #engineId: string;
  readonly #changes = new LinkChanges();
  readonly #identities = new Identities();
  /** Names of interfaces that were not yet as they should be. */
  #suspects = new Set<string>();

  constructor(
    networks: DurableMap<NetworkRecord>,
    endpoints: DurableMap<EndpointRecord>,
    joining: ReadonlySet<string>,
    engineId: string,
  ) {
    this.#networks = networks;
    this.#endpoints = endpoints;
    this.#joining = joining;
    this.#engineId = engineId;
  }

  /** Interfaces are recognised from now on. @throws System */
  listen(): void {
    this.#changes.listen();
  }

  /** @throws System */
  strays(): Stray[] {
    const changes = this.#changes.take();
    if (changes?.length === 0 && this.#suspects.size === 0) return [];
    const all = this.#endpoints.values();
    if (changes) this.#identities.follow(changes, new Map(all.map((endpoint) => [endpoint.hostLink, endpoint])));
    else this.#identities.prune((id) => this.#endpoints.get(id) !== undefined);
    const changed = changes && new Set(changes.map(({ name }) => name));
    const nameOf = ({ id, hostLink }: EndpointRecord) => this.#identities.otherName(id) ?? hostLink;
    const asked = all
      .filter((endpoint) => !changed || changed.has(nameOf(endpoint)) || this.#suspects.has(endpoint.hostLink))
      .flatMap((endpoint) => {
        const network = this.#networks.get(endpoint.networkId);
        return network ? [{ endpoint, network }] : [];
      });
    const names = asked.flatMap(({ endpoint, network }) => [nameOf(endpoint), network.bridge]);
    const states = asked.length > 0 ? linkStates(new Set(names)) : new Map<string, LinkState>();
    const suspects = new Set<string>();
    const strays: Stray[] = [];
    for (const { endpoint, network } of asked) {
      const otherName = this.#identities.otherName(endpoint.id);
      const link = states.get(nameOf(endpoint));
      // It goes with its container.
      if (!link) continue;
      if (!changes && !otherName) this.#identities.see(endpoint.id, link.index);
      const bridge = states.get(network.bridge);
      const found = otherName ? `renamed to ${otherName}` : amiss(link, bridge, network);
      if (!found) continue;
      suspects.add(endpoint.hostLink);
      // Where the bridge itself is gone, or another has its name, that is put right first, by us or by its owner.
      const hasOwn = bridge !== undefined && hasBridge(network, this.#engineId, bridge);
      if (hasOwn && !this.#joining.has(endpoint.id)) strays.push({ endpoint, network, found, otherName });
    }
    this.#suspects = suspects;
    return strays;
  }

  /**
   * Endpoints on record whose interface somebody has deleted; each is told once. When its container has ended, an
   * endpoint is deleted soon.
   */
  takeLost(): EndpointRecord[] {
    return this.#identities
      .takeLost((id) => this.#endpoints.get(id) !== undefined)
      .flatMap((id) => this.#endpoints.get(id) ?? []);
  }

  close(): void {
    this.#changes.close();
  }
}

/** Compares with the state in which `putOnBridge` leaves it. @returns the difference; empty: none */
function amiss(link: LinkState, bridge: LinkState | undefined, network: NetworkRecord): string {
  if (link.master === 0) return 'on no bridge';
  if (link.master !== bridge?.index) return 'on another bridge';
  if (!link.up) return 'set down';
  // Kernels that do not tell are not asked for it.
  const lacks = link.hairpin === false || (!network.icc && link.isolated === false);
  if (lacks && !isBorrowed(network)) return 'without its settings';
  return '';
}
