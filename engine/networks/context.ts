import type { Extensions } from '@cleat/extensions/service';
import { Turns } from '@cleat/protocol/async/turns';
import type { CallOptions } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import type { NetworksConfig } from '../config.js';
import type { Events } from '../events/service.js';
import type { ContainerId, NetworkId } from '../ids.js';
import type { Outbox } from '../outbox/service.js';
import type { Collection, Store } from '../store/service.js';
import { Drivers } from './drivers.js';
import { NamesElsewhere, type StoredElsewhere } from './elsewhere/index.js';
import { WrittenFiles } from './host-files/edited.js';
import type { RequestedResolver } from './host-files/hosts.js';
import { NameService } from './names/service.js';
import { type AddressCall, NetworkOutbox } from './outbox.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './record.js';
import { NetworkRegistry } from './registry.js';
import type { ContainerLookup } from './service.js';
import { currentSandbox, type StoredSandbox } from './stored-sandbox.js';
import { LinkClaims } from './wiring/link-claims.js';

/** Parts that the wiring hands to this context. */
export interface NetworksDeps {
  readonly config: NetworksConfig;
  readonly log: Logger;
  readonly store: Store;
  readonly events: Events;
  readonly extensions: Extensions;
  /** Containers that others refer to (`container:<id>`, links). */
  readonly containers: ContainerLookup;
  readonly outbox: Outbox;
  /** Others than containers that have a sandbox here and run. */
  readonly others?: () => readonly ContainerId[];
}

/** Shared by every file of this room. */
export class NetworksContext {
  readonly config: NetworksConfig;
  readonly log: Logger;
  readonly events: Events;
  readonly drivers: Drivers;
  readonly registry: NetworkRegistry;
  readonly names: NameService;
  readonly elsewhere: NamesElsewhere;
  /** Names of networks that are being created. */
  readonly creating = new Set<string>();
  /** Predefined networks that are being made. */
  readonly ensuring = new Map<string, Promise<void>>();
  /** Containers whose sandbox is being made, until its `ready` has settled; `done` never rejects. */
  readonly arriving = new Map<ContainerId, { done: Promise<void>; stop: AbortController }>();
  readonly #stops = new WeakMap<SandboxRecord, AbortSignal>();
  /** Containers whose sandbox is being taken down. */
  readonly leaving = new Map<ContainerId, Promise<void>>();
  /** Endpoints take addresses of a network one at a time, where users chose some of them. */
  readonly choosing = new Turns();
  /** Networks on the way, as far as they have come: what a kill leaves is found here. */
  readonly building: Collection<NetworkRecord>;
  /** Interfaces on their way into containers. */
  readonly links = new LinkClaims(
    ({ sandbox, endpoint }) => this.sandbox(sandbox.containerId)?.endpoints.includes(endpoint) ?? false,
  );
  /** Calls that drivers have yet to hear about what was torn down. */
  readonly outbox: NetworkOutbox;
  /** IPAM drivers that are being told what is in use. */
  readonly replaying = new Map<string, Promise<void>>();
  /** The gateway network, while it is being made. */
  gatewayInTheMaking: Promise<NetworkRecord> | undefined;
  readonly containers: ContainerLookup;
  readonly written = new WrittenFiles();
  #revision = 0;
  readonly #stored: Collection<StoredSandbox>;
  readonly #sandboxes = new Map<ContainerId, SandboxRecord>();

  constructor({ config, log, store, events, extensions, outbox, containers }: NetworksDeps) {
    this.containers = containers;
    this.config = config;
    this.log = log;
    this.events = events;
    this.drivers = new Drivers(extensions, log);
    this.registry = new NetworkRegistry(store.collection<NetworkRecord>('networks'));
    this.names = new NameService(log, config);
    this.building = store.collection<NetworkRecord>('networks-building');
    const { drivers } = this;
    this.outbox = new NetworkOutbox({ outbox, store, drivers, taken: (driver, call) => this.#taken(driver, call) });
    this.#stored = store.collection<StoredSandbox>('sandboxes');
    for (const [, stored] of this.#stored.entries()) this.#sandboxes.set(stored.containerId, currentSandbox(stored));
    this.written.recall(this.#sandboxes.values());
    const stored = store.collection<StoredElsewhere>('names-elsewhere');
    this.elsewhere = new NamesElsewhere({ stored, extensions, drivers, names: this.names, context: this, log });
  }

  sandbox(containerId: ContainerId): SandboxRecord | undefined {
    return this.#sandboxes.get(containerId);
  }

  sandboxes(): SandboxRecord[] {
    return [...this.#sandboxes.values()];
  }

  /** Changes whenever a network or a sandbox may have. */
  get revision(): number {
    return this.#revision + this.registry.revision;
  }

  save(sandbox: SandboxRecord): void {
    this.#revision++;
    this.#stored.put(sandbox.containerId, sandbox);
    this.#sandboxes.set(sandbox.containerId, sandbox);
  }

  forget(containerId: ContainerId): void {
    this.#revision++;
    this.#stored.delete(containerId);
    this.#sandboxes.delete(containerId);
  }

  endpointsOn(networkId: NetworkId): { sandbox: SandboxRecord; endpoint: EndpointRecord }[] {
    return this.sandboxes().flatMap((sandbox) =>
      sandbox.endpoints
        .filter((endpoint) => endpoint.networkId === networkId)
        .map((endpoint) => ({ sandbox, endpoint })),
    );
  }

  /**
   * Whether a container or network has that address, in words; empty: none has. An IPAM driver that gives it away once
   * more is wrong.
   */
  userOf(driver: string, taken: { id: string; address: string }): string {
    const holder = this.holderOf(driver, taken);
    if (holder) return `container ${holder.containerName} has`;
    for (const { name, ipam, v4, v6 } of this.registry.all()) {
      const pool = ipam.driver === driver && [...v4, ...v6].find(({ id }) => id === taken.id);
      if (!pool) continue;
      if (bare(pool.gateway) === bare(taken.address)) return `network ${name} has for its gateway`;
      if (Object.values(pool.aux).includes(bare(taken.address))) return `network ${name} has as an auxiliary address`;
    }
    return '';
  }

  /** The holder of that address; two IPAM drivers may call their pools alike. */
  holderOf(driver: string, taken: { id: string; address: string }): SandboxRecord | undefined {
    const same = ({ id, address }: typeof taken) => id === taken.id && bare(address) === bare(taken.address);
    const holds = ({ networkId, pools }: EndpointRecord) =>
      this.registry.byId(networkId)?.ipam.driver === driver && pools.some(same);
    return this.sandboxes().find(
      ({ containerId, endpoints }) => !this.leaving.has(containerId) && endpoints.some(holds),
    );
  }

  /** Whether what is to go back to an IPAM driver was taken from it again meanwhile. */
  #taken(driver: string, { method, request }: AddressCall): boolean {
    if (request.Options) return false; // Its holder is gone.
    const networks = this.registry.all().filter(({ ipam }) => ipam.driver === driver);
    const pool = networks.flatMap(({ v4, v6 }) => [...v4, ...v6]).find(({ id }) => id === request.PoolID);
    if (method === 'ReleasePool') return pool !== undefined;
    const own = pool && [...(pool.gatewayTaken ? [bare(pool.gateway)] : []), ...Object.values(pool.aux)];
    const address = { id: request.PoolID, address: request.Address };
    return own?.includes(request.Address) || this.holderOf(driver, address) !== undefined;
  }

  /** Calls for that sandbox end as soon as nobody wants it. */
  stopWith(sandbox: SandboxRecord, signal: AbortSignal): void {
    this.#stops.set(sandbox, signal);
  }

  callOptions(sandbox: SandboxRecord): CallOptions {
    return { signal: this.#stops.get(sandbox) };
  }

  /** The container that a name means now, if there is one. */
  readonly idOf = (name: string): ContainerId | undefined => this.containers.find(name)?.id;

  get defaultNetwork(): string {
    return this.config.bridge === 'none' ? 'none' : 'bridge';
  }

  /** The addresses for `host-gateway` in extra hosts: what is configured, or the default bridge's of each family. */
  hostGateways(): readonly string[] {
    const configured = this.config.hostGatewayIps ?? [];
    if (configured.length > 0) return configured;
    const { v4 = [], v6 = [] } = this.registry.byName('bridge') ?? {};
    const own = [v4[0], v6[0]].flatMap((pool) => (pool?.gateway ? [bare(pool.gateway)] : []));
    return own.length > 0 ? own : ['127.0.0.1'];
  }

  /** A network event with Docker's attributes. */
  emit(
    action: string,
    network: Pick<NetworkRecord, 'id' | 'name' | 'driver'>,
    more: Record<string, string> = {},
  ): void {
    this.events.publish({
      type: 'network',
      action,
      id: network.id,
      attributes: { name: network.name, type: network.driver, ...more },
    });
  }
}

/** The resolvers of the engine's configuration. */
export const requestedResolver = ({ config }: Pick<NetworksContext, 'config'>): RequestedResolver => ({
  dns: config.dns,
  search: config.dnsSearch,
  options: config.dnsOptions,
});

const bare = (cidr: string): string => cidr.split('/')[0] ?? '';
