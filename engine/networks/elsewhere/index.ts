import { isDeepStrictEqual } from 'node:util';
import type { Extensions } from '@cleat/extensions/service';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { ContainerId, NetworkId } from '../../ids.js';
import type { Collection } from '../../store/service.js';
import { resolvesNames } from '../dns-names.js';
import type { Drivers } from '../drivers.js';
import type { NamedElsewhere } from '../names/messages.js';
import type { NameService } from '../names/service.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from '../record.js';
import type { NetworkRegistry } from '../registry.js';
import { NameWatcher } from './watcher.js';

/** Bytes of all networks' names together: the process of names has them all in its memory. */
const mostBytes = 8 * 1024 * 1024;

/** A network whose driver shares names, with those that it told last. */
export interface StoredElsewhere {
  v: 1;
  endpoints: NamedElsewhere[];
}

/** The part of the room's context that is needed here, which has this class itself. */
export interface ElsewhereContext {
  readonly registry: Pick<NetworkRegistry, 'all' | 'byId'>;
  endpointsOn(networkId: NetworkId): { sandbox: SandboxRecord; endpoint: EndpointRecord }[];
  sandbox(containerId: ContainerId): SandboxRecord | undefined;
  save(sandbox: SandboxRecord): void;
}

export interface ElsewhereDeps {
  readonly stored: Collection<StoredElsewhere>;
  readonly extensions: Pick<Extensions, 'arrival' | 'onChange'>;
  readonly drivers: Pick<Drivers, 'network' | 'networkCapabilities'>;
  readonly names: Pick<NameService, 'setElsewhere'>;
  readonly context: ElsewhereContext;
  readonly log: Logger;
}

/**
 * Names between hosts, by drivers that share them (`SharesNames`): they are told what containers are called here, and
 * tell what those of other hosts are called. What they told last outlives them, and this engine.
 */
export class NamesElsewhere {
  readonly #deps: ElsewhereDeps;
  readonly #watchers = new Map<string, NameWatcher>();
  readonly #sizes = new Map<string, number>();
  readonly #stop: () => void;
  readonly #mostBytes: number;
  #isClosed = false;

  constructor(deps: ElsewhereDeps, most = mostBytes) {
    this.#deps = deps;
    this.#mostBytes = most;
    this.#stop = deps.extensions.onChange(({ name, state }) => {
      // Others are not asked whether they share names: a driver that says nothing of it must see no difference.
      if (state === 'active') for (const { id } of this.#networksOf(name)) this.#watchers.get(id)?.renew();
    });
  }

  /** Goes on where the engine before this one ended; before others are told of names. */
  start(): void {
    const { stored, context, names } = this.#deps;
    for (const [id, { endpoints }] of stored.entries()) {
      const network = context.registry.all().find((one) => one.id === id);
      if (!network) {
        stored.delete(id);
        continue;
      }
      this.#sizes.set(id, sizeOf(endpoints));
      void names.setElsewhere(id, endpoints);
      this.#watch(network);
    }
  }

  /** Begins with a network whose driver has been asked for its capabilities, if it shares names. Never fails. */
  async consider(network: NetworkRecord): Promise<void> {
    if (!resolvesNames(network) || network.configOnly || this.#watchers.has(network.id)) return;
    try {
      const { sharesNames } = await this.#deps.drivers.networkCapabilities(network.driver);
      if (sharesNames && this.#deps.context.registry.byId(network.id)) this.#watch(network);
    } catch (error) {
      const about = { network: network.name, driver: network.driver, error: messageOf(error) };
      this.#deps.log.debug('it is not known whether a driver shares names', about);
    }
  }

  /** The network is gone. */
  forget(networkId: string): void {
    const { stored, names } = this.#deps;
    this.#watchers.get(networkId)?.close();
    this.#watchers.delete(networkId);
    this.#sizes.delete(networkId);
    stored.delete(networkId);
    void names.setElsewhere(networkId, []);
  }

  /** An endpoint has other names by now: its driver is told, if it shares them. Saving it is the caller's. */
  renamed(endpoint: EndpointRecord): void {
    delete endpoint.namesTold;
    this.#watchers.get(endpoint.networkId)?.renew();
  }

  #watch(network: NetworkRecord): void {
    if (this.#watchers.has(network.id) || this.#isClosed) return;
    const { stored, drivers, extensions, log } = this.#deps;
    if (!stored.get(network.id)) stored.put(network.id, { v: 1, endpoints: [] });
    const watcher = new NameWatcher({
      network,
      pools: [...network.v4, ...network.v6].map(({ pool }) => pool),
      drivers,
      extensions,
      log,
      tell: () => this.#tell(network),
      heard: (endpoints) => this.#heard(network.id, endpoints),
      notShared: () => this.forget(network.id),
    });
    this.#watchers.set(network.id, watcher);
  }

  /** Endpoints that were renamed while the driver was away, or were there before it shared names. */
  async #tell({ id, driver }: NetworkRecord): Promise<void> {
    const { context, drivers } = this.#deps;
    for (const { sandbox, endpoint } of context.endpointsOn(id)) {
      if (endpoint.namesTold || endpoint.stage === 'addressed') continue;
      const Names = [...endpoint.dnsNames];
      const client = await drivers.network(driver, { impatient: true });
      const request = { NetworkID: id, EndpointID: endpoint.id, Names };
      await client.RenameEndpoint(request, { impatient: true });
      // It may have been renamed once more, or be gone.
      if (!isDeepStrictEqual(Names, endpoint.dnsNames) || !isCurrent(context, sandbox, endpoint)) continue;
      endpoint.namesTold = true;
      context.save(sandbox);
    }
  }

  #heard(networkId: string, endpoints: NamedElsewhere[]): void {
    const { stored, names, context } = this.#deps;
    const before = stored.get(networkId);
    if (!before || isDeepStrictEqual(before.endpoints, endpoints) || !this.#watchers.has(networkId)) return;
    const size = sizeOf(endpoints);
    const others = [...this.#sizes].reduce((sum, [id, bytes]) => (id === networkId ? sum : sum + bytes), 0);
    if (others + size > this.#mostBytes) {
      throw unavailable(`the names of all networks have more than ${this.#mostBytes} bytes`);
    }
    this.#sizes.set(networkId, size);
    stored.put(networkId, { v: 1, endpoints });
    if (context.registry.all().some(({ id }) => id === networkId)) void names.setElsewhere(networkId, endpoints);
  }

  #networksOf(driver: string): NetworkRecord[] {
    return this.#deps.context.registry.all().filter((network) => network.driver === driver);
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}

const isCurrent = (
  context: Pick<ElsewhereContext, 'sandbox'>,
  sandbox: SandboxRecord,
  endpoint: EndpointRecord,
): boolean => context.sandbox(sandbox.containerId) === sandbox && sandbox.endpoints.includes(endpoint);

const sizeOf = (endpoints: readonly NamedElsewhere[]): number => Buffer.byteLength(JSON.stringify(endpoints));
