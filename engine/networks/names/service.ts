import { join } from 'node:path';
import { messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { NameKeeper } from './keeper.js';
import type { NamedContainer, NamedElsewhere, Ports } from './messages.js';

/** So long a process waits for the next container that asks. */
const idleMs = 60_000;

/**
 * Names of containers on networks of their users' own, here and on other hosts, as the engine tells them to the process
 * that answers (`program/`): names go on resolving when the engine is gone. An engine that needs none has no such process.
 */
export class NameService {
  readonly #log: Logger;
  readonly #known = new Map<string, NamedContainer>();
  /** By container: where it is served, for the process after this one. */
  readonly #ports = new Map<string, Ports>();
  /** By network. */
  readonly #elsewhere = new Map<string, readonly NamedElsewhere[]>();
  readonly #keeper: NameKeeper;
  #idle: NodeJS.Timeout | undefined;

  constructor(log: Logger, { execRoot }: { readonly execRoot: string }) {
    this.#log = log;
    this.#keeper = new NameKeeper(join(execRoot, 'names.sock'), log, {
      containers: () => [...this.#known.values()],
      ports: () => Object.fromEntries(this.#ports),
      elsewhere: () => Object.fromEntries(this.#elsewhere),
      onTold: ({ ports, failures }) => {
        for (const [id, found] of Object.entries(ports)) if (this.#known.has(id)) this.#ports.set(id, found);
        for (const [id, error] of Object.entries(failures)) this.#warn(id, error);
      },
    });
  }

  /**
   * The containers that the engine before left. A process that serves them goes on; if there is one and nobody needs it,
   * it ends.
   */
  open(containers: readonly NamedContainer[]): void {
    for (const container of containers) this.#known.set(container.containerId, container);
    if (containers.length > 0) this.prepare();
    else if (this.#keeper.mayBeThere) void this.#keeper.rest();
  }

  /** Somebody will ask soon: the process comes up meanwhile. */
  prepare(): void {
    this.#keeper.start().catch((error: unknown) => this.#log.warn(messageOf(error)));
    this.#restLater();
  }

  /**
   * Makes a container known with all its places, and serves it; replaces what was known of it. Once this is done, it is
   * answered so. Where it cannot be served, its names do not resolve.
   */
  async put(container: NamedContainer): Promise<void> {
    const { containerId: id } = container;
    clearTimeout(this.#idle);
    this.#known.set(id, container);
    try {
      const ports = await this.#keeper.ask({ kind: 'put', container });
      if (ports && this.#known.has(id)) this.#ports.set(id, ports);
    } catch (error) {
      this.#warn(id, messageOf(error));
    }
  }

  #warn(container: string, error: string): void {
    this.#log.warn('names do not resolve in a container: its name service could not be set up', { container, error });
  }

  async forget(containerId: string): Promise<void> {
    if (!this.#known.delete(containerId)) return;
    this.#ports.delete(containerId);
    await this.#keeper.tell({ kind: 'drop', containerId });
    this.#restLater();
  }

  /** These are a network's endpoints on other hosts; none: it has none. Never fails. */
  async setElsewhere(networkId: string, endpoints: readonly NamedElsewhere[]): Promise<void> {
    if (endpoints.length > 0) this.#elsewhere.set(networkId, endpoints);
    else if (!this.#elsewhere.delete(networkId)) return;
    await this.#keeper.tell({ kind: 'elsewhere', networkId, endpoints });
  }

  #restLater(): void {
    clearTimeout(this.#idle);
    if (this.#known.size > 0) return;
    this.#idle = setTimeout(() => void this.#keeper.rest(), idleMs).unref();
  }

  /** The process stays while there are containers: they outlive the engine. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#keeper.close(this.#known.size > 0);
  }
}
