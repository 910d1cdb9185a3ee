import { createHash } from 'node:crypto';
import { type BoundSockets, bindInside, redirectNames } from '@cleat/linux/net/name-redirect';
import { descriptorsOf } from '@cleat/linux/syscall/process';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { messageOf } from '@cleat/protocol/errors';
import { currentHost, saysNdots } from '../../host-files/host-resolver.js';
import {
  type HeldSockets,
  type Inheritance,
  insideAddress,
  type NamedContainer,
  type NamedElsewhere,
  type Ports,
  type RequestOf,
} from '../messages.js';
import type { Resolver } from './answer.js';
import { AnswerCache } from './cache.js';
import { Directory } from './directory.js';
import { FairShare } from './fair-share.js';
import { Forwarder, type Upstream } from './forward.js';
import { type NameServer, serveNames } from './server.js';

/** Questions that wait for other servers, of all containers and of each. */
const openQuestions = { total: 1024, each: 128 };
/** TCP connections, of all containers and of each. */
const connections = { total: 512, each: 16 };
/** Bytes of other servers' answers that are kept. */
const cached = 4 * 1024 * 1024;
/** Processes at once that redirect names in containers. */
const redirections = 4;

interface Served extends NameServer {
  readonly held: HeldSockets;
}

/** Where a container was served before: its sockets in another process, or the ports of some that are gone. */
interface Before {
  readonly ports?: Ports | undefined;
  readonly inherited?: { readonly pid: number; readonly sockets: HeldSockets } | undefined;
}

/**
 * The containers that the engine told of. Each that asks has a server of its own, in its network namespace, so nobody
 * else can ask it, and who asks is known.
 */
export class NamedContainers {
  readonly #directory = new Directory();
  readonly #known = new Map<string, NamedContainer>();
  readonly #servers = new Map<string, { path: string; server: Promise<Served> }>();
  readonly #limits = { connections: new FairShare(connections) };
  readonly #forwarder = new Forwarder(new FairShare(openQuestions), new AnswerCache(cached));
  readonly #redirecting = new Semaphore(redirections);

  /** Files of the namespaces in which somebody may ask. */
  get paths(): string[] {
    return [...this.#servers.values()].map(({ path }) => path);
  }

  /** These are all. @returns where each is served, and why some are not */
  async all({ containers, ports, elsewhere, inherited }: RequestOf<'all'>): Promise<{
    ports: Record<string, Ports>;
    failures: Record<string, string>;
  }> {
    this.#directory.replaceElsewhere(elsewhere);
    const wanted = new Set(containers.map(({ containerId }) => containerId));
    for (const id of [...this.#known.keys()]) if (!wanted.has(id)) this.drop(id);
    const served: Record<string, Ports> = {};
    const failures: Record<string, string> = {};
    await Promise.all(
      containers.map(async (container) => {
        const id = container.containerId;
        const sockets = inherited?.sockets[id];
        try {
          const before = { ports: ports[id], inherited: inherited && sockets && { pid: inherited.pid, sockets } };
          const found = await this.put(container, before);
          if (found) served[id] = found;
        } catch (error) {
          failures[id] = messageOf(error);
        }
      }),
    );
    return { ports: served, failures };
  }

  /**
   * Replaces what is known of one, at once.
   * @returns where it is served, once it is; undefined for one that does not ask
   * @throws CleatError System where that is impossible; the next time that it is told of, it is tried again
   */
  async put(container: NamedContainer, before: Before = {}): Promise<Ports | undefined> {
    const { containerId: id, path } = container;
    this.#known.set(id, container);
    this.#directory.enter(container);
    const former = this.#servers.get(id);
    if (former && former.path !== path) this.#unserve(id);
    if (!path) return undefined;
    const known = this.#servers.get(id) ?? { path, server: this.#serve(id, path, before) };
    this.#servers.set(id, known);
    try {
      return (await known.server).ports;
    } catch (error) {
      if (this.#servers.get(id) === known) this.#servers.delete(id);
      throw error;
    }
  }

  /** Replaces what is known of a network's endpoints on other hosts. */
  elsewhere(networkId: string, endpoints: readonly NamedElsewhere[]): void {
    this.#directory.enterElsewhere(networkId, endpoints);
  }

  drop(id: string): void {
    this.#known.delete(id);
    this.#directory.leave(id);
    this.#unserve(id);
  }

  #unserve(id: string): void {
    const known = this.#servers.get(id);
    this.#servers.delete(id);
    known?.server.then(
      (server) => server.close(),
      () => {
        // The one who wanted it was told.
      },
    );
    if (known) this.#forwarder.leave(known.path);
  }

  async #serve(id: string, path: string, before: Before): Promise<Served> {
    const { sockets, isNew } = socketsFor(path, before);
    const server = await serveNames(id, sockets, this.#resolver(id), this.#limits);
    try {
      if (isNew) await this.#redirecting.run(() => redirectNames(path, insideAddress, server.ports));
    } catch (error) {
      server.close();
      throw error;
    }
    return { ...server, held: sockets };
  }

  #resolver(id: string): Resolver {
    return {
      owner: id,
      forwarder: this.#forwarder,
      addressesOf: (name) => this.#directory.addressesOf(id, name),
      nameOf: (address) => this.#directory.nameOf(id, address),
      upstream: () => this.#upstream(id),
      completesShortNames: () => this.#known.get(id)?.completesShortNames ?? saysNdots(currentHost().options),
    };
  }

  #upstream(id: string): Upstream[] {
    const container = this.#known.get(id);
    if (!container) return [];
    const { servers, asksHost, path } = container;
    if (servers.length === 0) {
      return asksHost ? currentHost().nameservers.map((address) => ({ address, from: '' })) : [];
    }
    // Not itself: the question would go round for ever.
    return servers.flatMap((address) => (address === insideAddress ? [] : { address, from: path }));
  }

  /** For another process, which takes them while this one still answers. */
  async sockets(): Promise<Inheritance> {
    const sockets: Record<string, HeldSockets> = {};
    for (const [id, { server }] of this.#servers) {
      const { held } = await server.catch(() => ({ held: undefined }));
      if (held) sockets[id] = held;
    }
    return { pid: process.pid, sockets };
  }

  /** Nothing more is asked here; questions on their way are answered. */
  async finish(): Promise<void> {
    const all = await Promise.allSettled([...this.#servers.values()].map(({ server }) => server));
    await Promise.all(all.map((one) => (one.status === 'fulfilled' ? one.value.finish() : undefined)));
    this.#forwarder.close();
  }
}

/** Its former sockets or ports, if they can be had: then its names are led there already. */
function socketsFor(path: string, { ports, inherited }: Before): { sockets: BoundSockets; isNew: boolean } {
  if (inherited) {
    try {
      const [udp = -1, tcp = -1] = descriptorsOf(inherited.pid, [inherited.sockets.udp, inherited.sockets.tcp]);
      return { sockets: { udp, tcp }, isNew: false };
    } catch {
      // That process ended meanwhile, or may not be looked into.
    }
  }
  const wanted = ports ?? usualPorts(path);
  try {
    return { sockets: bindInside(path, insideAddress, wanted), isNew: wanted !== ports };
  } catch {
    // Somebody else has the port, or the namespace is gone, which is told now.
    return { sockets: bindInside(path, insideAddress), isNew: true };
  }
}

/** Ports that the kernel gives to those who ask for none (Linux, ip_local_port_range). */
const firstFree = 32_768;
const freePorts = 28_232;

/**
 * The same for the same namespace: a client's flow that was led to a process that is gone leads to the next one, which
 * knows nothing of it.
 */
function usualPorts(path: string): Ports {
  const port = firstFree + (createHash('sha256').update(path).digest().readUInt32BE() % freePorts);
  return { udp: port, tcp: port };
}
