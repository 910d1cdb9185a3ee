import type { Extensions } from '@cleat/extensions/service';
import type { Logger } from '@cleat/protocol/log';
import type { EngineConfig } from '../config.js';
import type { Events } from '../events/service.js';
import type { Collection, Store } from '../store/service.js';
import { Drivers } from './drivers.js';
import { giveBack, type Leftover } from './endpoint.js';
import type { Written } from './hosts.js';
import { NameService } from './names/service.js';
import { Owed } from './owed.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord, UnfinishedNetwork } from './record.js';
import { NetworkRegistry } from './registry.js';
import type { ContainerLookup } from './service.js';
import { takeBack } from './take-back.js';

/** What the wiring hands to this room. */
export interface NetworksDeps {
  readonly config: EngineConfig;
  readonly log: Logger;
  readonly store: Store;
  readonly events: Events;
  readonly extensions: Extensions;
}

/** What every file of this room works with. */
export class NetworkRoom {
  readonly config: EngineConfig;
  readonly log: Logger;
  readonly events: Events;
  readonly drivers: Drivers;
  readonly registry: NetworkRegistry;
  readonly names: NameService;
  /** Names of networks that are being created. */
  readonly creating = new Set<string>();
  /** Predefined networks that are being made. */
  readonly ensuring = new Map<string, Promise<void>>();
  /** Containers whose sandbox is being made, until its `ready` has settled; never rejects. */
  readonly arriving = new Map<string, Promise<void>>();
  /** Containers whose sandbox is being taken down. */
  readonly leaving = new Map<string, Promise<void>>();
  /** Networks on the way, as far as they have come, and what their drivers have to take back of those that are gone. */
  readonly unfinished: Owed<UnfinishedNetwork>;
  /** Endpoints that a driver did not take back. */
  readonly leftovers: Owed<Leftover>;
  containers: ContainerLookup = { find: () => undefined };
  readonly #written = new WeakMap<SandboxRecord, Written>();
  #revision = 0;
  readonly #stored: Collection<SandboxRecord>;
  readonly #sandboxes = new Map<string, SandboxRecord>();

  constructor({ config, log, store, events, extensions }: NetworksDeps) {
    this.config = config;
    this.log = log;
    this.events = events;
    this.drivers = new Drivers(extensions, log);
    this.registry = new NetworkRegistry(store.collection<NetworkRecord>('networks'));
    this.names = new NameService(log);
    this.unfinished = new Owed(store.collection('networks-building'), (network) => takeBack(this, network));
    this.leftovers = new Owed(store.collection('endpoint-leftovers'), (leftover) => giveBack(this, leftover));
    this.#stored = store.collection<SandboxRecord>('sandboxes');
    for (const [id, record] of this.#stored.entries()) this.#sandboxes.set(id, record);
  }

  sandbox(containerId: string): SandboxRecord | undefined {
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

  forget(containerId: string): void {
    this.#revision++;
    this.#stored.delete(containerId);
    this.#sandboxes.delete(containerId);
  }

  endpointsOn(networkId: string): { sandbox: SandboxRecord; endpoint: EndpointRecord }[] {
    return this.sandboxes().flatMap((sandbox) =>
      sandbox.endpoints
        .filter((endpoint) => endpoint.networkId === networkId)
        .map((endpoint) => ({ sandbox, endpoint })),
    );
  }

  writtenFor(sandbox: SandboxRecord): Written {
    const known = this.#written.get(sandbox) ?? new Map<string, string>();
    this.#written.set(sandbox, known);
    return known;
  }

  get defaultNetwork(): string {
    return this.config.bridge === 'none' ? 'none' : 'bridge';
  }

  /** What `host-gateway` stands for in extra hosts. */
  hostGateway(): string {
    const [configured] = this.config.hostGatewayIps ?? [];
    return configured ?? this.registry.byName('bridge')?.v4[0]?.gateway.split('/')[0] ?? '127.0.0.1';
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
