import { bindInside, redirectNames } from '@cleat/linux/net/name-redirect';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { SandboxRecord } from '../record.js';
import type { NameServer } from './server.js';

export interface NamedNetwork {
  id: string;
  /** The host's own address on the network; empty: it has none there. */
  gateway: string;
  internal: boolean;
}

/** Names by which a container is known on a network, and to whom. */
interface Known {
  containerId: string;
  networkId: string;
  addresses: string[];
  names: string[];
}

/** What a query leads to: addresses, a name, or nothing of ours. */
export interface Asker {
  /** Networks on which names are looked up: those of the container that asks. */
  networkIds: string[];
  /** Alias → name, for links. */
  aliases: ReadonlyMap<string, string>;
  /** Servers that the container's user named; empty: the host's. */
  upstream: readonly string[];
  /** Other names may be looked up elsewhere: false on networks without a way out. */
  forward: boolean;
}

/** Where a container asks for names when it reaches no network's name service: within itself, as under Docker. */
export const insideAddress = '127.0.0.11';

/**
 * Who is called what on which network, and the servers that tell. A network's server listens on the gateway's address,
 * if that is this host's, and knows by the source address which container asks. A container all of whose networks lead
 * out by somebody else's gateway has a server of its own, in its network namespace.
 */
export class NameService {
  readonly #log: Logger;
  readonly #known = new Map<string, Known>();
  /** By network and address. */
  readonly #askers = new Map<string, Asker>();
  /** By container. */
  readonly #insiders = new Map<string, Asker>();
  readonly #servers = new Map<string, Promise<NameServer | undefined>>();
  readonly #internal = new Map<string, boolean>();
  /** By container. */
  readonly #inside = new Map<string, Promise<NameServer | undefined>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Starts the network's server, if it does not run yet.
   * @returns whether there is one: false where the gateway is not this host's, or port 53 is another's
   */
  async serve(network: NamedNetwork): Promise<boolean> {
    this.#internal.set(network.id, network.internal);
    if (!network.gateway) return false;
    let server = this.#servers.get(network.id);
    if (!server) {
      server = this.#listen(network);
      this.#servers.set(network.id, server);
    }
    return (await server) !== undefined;
  }

  async #listen(network: NamedNetwork): Promise<NameServer | undefined> {
    try {
      // Loaded by the first network that needs it: an engine without one pays nothing.
      const { listen } = await import('./server.js');
      return await listen(network.gateway, (source) => this.#question(network.id, source), this.#log);
    } catch (error) {
      this.#log.debug('a network has no name service: its containers have their own', {
        network: network.id,
        address: network.gateway,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  /** Stops the network's server. */
  async unserve(networkId: string): Promise<void> {
    const server = this.#servers.get(networkId);
    this.#servers.delete(networkId);
    this.#internal.delete(networkId);
    (await server)?.close();
  }

  /** Starts a server in the container's namespace, unless it runs. Where that is impossible, names do not resolve. */
  async serveInside({ containerId, path }: SandboxRecord): Promise<void> {
    const server = this.#inside.get(containerId) ?? this.#listenInside(containerId, path);
    this.#inside.set(containerId, server);
    // The next time that its networks change, it is tried again.
    if (!(await server) && this.#inside.get(containerId) === server) this.#inside.delete(containerId);
  }

  async #listenInside(containerId: string, path: string): Promise<NameServer | undefined> {
    let server: NameServer | undefined;
    try {
      const { listenOn } = await import('./server.js');
      const sockets = bindInside(path, insideAddress);
      server = await listenOn(insideAddress, sockets, () => this.#answers(this.#insiders.get(containerId)), this.#log);
      await redirectNames(path, insideAddress, server.ports);
      return server;
    } catch (error) {
      server?.close();
      this.#log.warn('names do not resolve in a container: its name service could not be set up', {
        container: containerId,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  /** It reaches a network's server now. */
  async unserveInside(containerId: string): Promise<void> {
    const server = this.#inside.get(containerId);
    this.#inside.delete(containerId);
    (await server)?.close();
  }

  /** Makes a container known with all its endpoints; replaces what was known of it. */
  register(sandbox: SandboxRecord): void {
    this.#forget(sandbox.containerId);
    const networkIds = sandbox.endpoints.map(({ networkId }) => networkId);
    const links = [...sandbox.links, ...sandbox.endpoints.flatMap(({ wished }) => wished.Links ?? [])];
    const asker: Asker = {
      networkIds,
      aliases: new Map(links.map((link) => splitLink(link)).map(({ name, alias }) => [alias.toLowerCase(), name])),
      upstream: sandbox.dns,
      forward: networkIds.some((id) => this.#internal.get(id) === false),
    };
    this.#insiders.set(sandbox.containerId, asker);
    for (const endpoint of sandbox.endpoints) {
      const addresses = [endpoint.ipv4, endpoint.ipv6].flatMap((cidr) => cidr.split('/')[0] || []);
      this.#known.set(`${sandbox.containerId} ${endpoint.networkId}`, {
        containerId: sandbox.containerId,
        networkId: endpoint.networkId,
        addresses,
        names: endpoint.dnsNames.map((name) => name.toLowerCase()),
      });
      for (const address of addresses) this.#askers.set(`${endpoint.networkId} ${address}`, asker);
    }
  }

  forget(containerId: string): void {
    this.#forget(containerId);
    void this.unserveInside(containerId);
  }

  #forget(containerId: string): void {
    this.#insiders.delete(containerId);
    for (const [key, known] of this.#known) {
      if (known.containerId !== containerId) continue;
      this.#known.delete(key);
      for (const address of known.addresses) this.#askers.delete(`${known.networkId} ${address}`);
    }
  }

  async close(): Promise<void> {
    await Promise.all([
      ...[...this.#servers.keys()].map((id) => this.unserve(id)),
      ...[...this.#inside.keys()].map((id) => this.unserveInside(id)),
    ]);
  }

  /** Who asks, and how to look things up for it. */
  #question(networkId: string, source: string) {
    const asker = this.#askers.get(`${networkId} ${source.replace(/^::ffff:/, '')}`) ?? {
      networkIds: [networkId],
      aliases: new Map<string, string>(),
      upstream: [],
      forward: this.#internal.get(networkId) === false,
    };
    return this.#answers(asker);
  }

  /** @param asker undefined: nobody is to ask, the container has just gone */
  #answers(asker: Asker = { networkIds: [], aliases: new Map(), upstream: [], forward: false }) {
    return {
      ...asker,
      addressesOf: (name: string) => this.#addressesOf(asker, name.toLowerCase()),
      nameOf: (address: string) => this.#nameOf(asker, address),
    };
  }

  #addressesOf(asker: Asker, name: string): string[] {
    const wanted = asker.aliases.get(name)?.toLowerCase() ?? name;
    return [...this.#known.values()]
      .filter(({ networkId, names }) => asker.networkIds.includes(networkId) && names.includes(wanted))
      .flatMap(({ addresses }) => addresses);
  }

  #nameOf(asker: Asker, address: string): string | undefined {
    for (const { networkId, addresses, names } of this.#known.values()) {
      if (asker.networkIds.includes(networkId) && addresses.includes(address)) return names[0];
    }
    return undefined;
  }
}

/** `container:alias`, as Docker's links are written; without alias the name itself. */
export function splitLink(link: string): { name: string; alias: string } {
  const parts = link.split(':');
  const name = (parts[0] ?? '').replace(/^\//, '');
  return { name, alias: (parts[1] ?? name).split('/').pop() || name };
}
