import { bindInside, redirectNames } from '@cleat/linux/net/name-redirect';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { SandboxRecord } from '../record.js';
import type { Resolver } from './answer.js';
import { Directory } from './directory.js';
import { FairShare } from './fair-share.js';
import type { Forwarder, Upstream } from './forward.js';
import type { NameServer } from './server.js';

/** Where a container asks for names: within itself, as under Docker. */
export const insideAddress = '127.0.0.11';

/** Questions that wait for other servers, of all containers and of each. */
const openQuestions = { total: 1024, each: 128 };
/** TCP connections, of all containers and of each. */
const connections = { total: 512, each: 16 };

/** The parts of the engine for the names' service. */
export interface NameFacts {
  /** Resolvers for names that are not ours: addresses, and whether from the container's namespace or the host's. */
  upstream(sandbox: SandboxRecord): { servers: readonly string[]; fromContainer: boolean };
  completesShortNames(sandbox: SandboxRecord): boolean;
}

/**
 * Names of containers on networks of their users' own. Each container on one has a server of its own, in its network
 * namespace, so nobody else can ask it, and who asks is known.
 */
export class NameService {
  readonly #log: Logger;
  readonly #facts: NameFacts;
  readonly #directory = new Directory();
  readonly #sandboxes = new Map<string, SandboxRecord>();
  readonly #limits = { connections: new FairShare(connections) };
  readonly #questions = new FairShare(openQuestions);
  /** Loaded by the first container that needs it: an engine without one pays nothing. */
  #forwarder: Forwarder | undefined;
  /** By container. */
  readonly #servers = new Map<string, Promise<NameServer | undefined>>();

  constructor(log: Logger, facts: NameFacts) {
    this.#log = log;
    this.#facts = facts;
  }

  /** Starts a server in the container's namespace, unless it runs. Where that is impossible, names do not resolve. */
  async serve({ containerId, path }: SandboxRecord): Promise<void> {
    const server = this.#servers.get(containerId) ?? this.#listen(containerId, path);
    this.#servers.set(containerId, server);
    // The next time that its networks change, it is tried again.
    if (!(await server) && this.#servers.get(containerId) === server) this.#servers.delete(containerId);
  }

  async #listen(containerId: string, path: string): Promise<NameServer | undefined> {
    let server: NameServer | undefined;
    try {
      const [{ serveNames }, { Forwarder }] = await Promise.all([import('./server.js'), import('./forward.js')]);
      this.#forwarder ??= new Forwarder(this.#questions);
      const sockets = bindInside(path, insideAddress);
      server = await serveNames(
        containerId,
        sockets,
        this.#resolver(containerId, this.#forwarder),
        this.#limits,
        this.#log,
      );
      await redirectNames(path, insideAddress, server.ports);
      const { close } = server;
      return {
        ...server,
        close: () => {
          close();
          this.#forwarder?.leave(path);
        },
      };
    } catch (error) {
      server?.close();
      this.#log.warn('names do not resolve in a container: its name service could not be set up', {
        container: containerId,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  #resolver(containerId: string, forwarder: Forwarder): Resolver {
    return {
      owner: containerId,
      forwarder,
      addressesOf: (name) => this.#directory.addressesOf(containerId, name),
      nameOf: (address) => this.#directory.nameOf(containerId, address),
      upstream: () => this.#upstream(containerId),
      completesShortNames: () => {
        const sandbox = this.#sandboxes.get(containerId);
        return sandbox !== undefined && this.#facts.completesShortNames(sandbox);
      },
    };
  }

  #upstream(containerId: string): Upstream[] {
    const sandbox = this.#sandboxes.get(containerId);
    if (!sandbox) return [];
    const { servers, fromContainer } = this.#facts.upstream(sandbox);
    // Not itself: the question would go round for ever.
    const others = servers.filter((address) => !fromContainer || address !== insideAddress);
    return others.map((address) => ({ address, from: fromContainer ? sandbox.path : '' }));
  }

  /** Its networks no longer need a name service. */
  async unserve(containerId: string): Promise<void> {
    const server = this.#servers.get(containerId);
    this.#servers.delete(containerId);
    (await server)?.close();
  }

  /** Makes a container known with all its endpoints; replaces what was known of it. */
  register(sandbox: SandboxRecord): void {
    this.#sandboxes.set(sandbox.containerId, sandbox);
    this.#directory.enter(sandbox);
  }

  forget(containerId: string): void {
    this.#sandboxes.delete(containerId);
    this.#directory.leave(containerId);
    void this.unserve(containerId);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers.keys()].map((id) => this.unserve(id)));
    this.#forwarder?.close();
  }
}
