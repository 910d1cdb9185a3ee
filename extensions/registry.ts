import { conflict, invalidParameter, notFound } from '@cleat/protocol/errors';
import type { Client, Kind } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { markAbsent } from './absence.js';
import { Arrivals } from './arrivals.js';
import { withAwaited } from './awaited-status.js';
import { addressText } from './carriers/address.js';
import type { Dependencies } from './dependencies.js';
import { find, scan } from './discovery/directories.js';
import type { Entries } from './entries.js';
import { Extension } from './extension.js';
import type { KeptLines } from './kept-lines.js';
import { inOrder } from './order.js';
import type { Registrations } from './registrations.js';
import type {
  ArrivalOptions,
  Extensions,
  GetOptions,
  Providers,
  Registered,
  Registration,
  Unavailable,
} from './service.js';
import type { ExtensionsSettings, Overrides } from './settings.js';
import type { Place } from './source.js';
import type { ExtensionStatus, KeptLine } from './status.js';

export interface RegistrySettings {
  settings: ExtensionsSettings;
  entries: Entries;
  registrations: Registrations;
  dependencies: Dependencies;
  /** Through which extensions write to the log. */
  kept: KeptLines;
  onChange: Listener;
}

/** How long a plugin that is known by its file, but does not answer, is waited for, in ms. */
const patience = {
  /** A `.spec` or `.json` may be there long before the plugin (Docker waits as long). */
  described: 30_000,
  /** It answered once: it may be restarting. */
  restarting: 5_000,
  /** A socket that nobody listens on is mostly left over from a crash. */
  stale: 1_000,
};

/** How long a directory listing stays good, for {@link Extensions.names} and {@link Extensions.list}. */
const scanMs = 500;

type Listener = (status: ExtensionStatus) => void;

export class Registry implements Extensions {
  readonly #parts: RegistrySettings;
  #overrides: Overrides;
  readonly #discovered = new Map<string, Extension>();
  readonly #listeners: Set<Listener>;
  readonly #arrivals: Arrivals;
  #providers: Providers = { at: () => undefined, find: () => undefined };
  /** The container of each extension whose place was looked at. */
  readonly #seen = new WeakMap<Place, string | undefined>();
  #scanned: { names: readonly string[]; at: number } | undefined;

  constructor(parts: RegistrySettings, listeners: Set<Listener>) {
    const { settings } = parts;
    this.#parts = parts;
    this.#overrides = settings.overrides;
    this.#listeners = listeners;
    this.#arrivals = new Arrivals({
      probe: async (kind, name) => {
        await this.#activated(kind, name, { impatient: true });
      },
      pluginDirectories: settings.pluginDirectories,
    });
    listeners.add(({ name, state, aliases = [] }) => {
      if (state === 'active') for (const one of [name, ...aliases]) this.#arrivals.hint(one);
    });
  }

  async get<K extends Kind>(kind: K, name: string, options: GetOptions = {}): Promise<Client<K>> {
    return this.ready(kind, name) ?? (await this.#activated(kind.name, name, options)).client(kind);
  }

  ready<K extends Kind>(kind: K, name: string): Client<K> | undefined {
    const extension = this.#known(kind.name, name);
    return extension?.isReady && extension.kinds.includes(kind.name) ? extension.client(kind) : undefined;
  }

  arrival(kind: string, name: string, options: ArrivalOptions): Promise<void> {
    return this.#arrivals.arrival(kind, name, options);
  }

  names(kind: Kind): string[] {
    return this.#select((extension) => extension.kinds.includes(kind.name));
  }

  candidates(kind: Kind): string[] {
    return this.#candidates(kind.name);
  }

  list(): ExtensionStatus[] {
    this.#scan();
    const all = this.#all().map((extension) => this.#described(extension));
    return withAwaited([...all, ...this.#parts.registrations.unavailable()], this.#arrivals.list());
  }

  lines(extension: string, after?: number): readonly KeptLine[] {
    return this.#parts.kept.of(extension, after);
  }

  earlierLogger(extension: string, at: Date): Logger {
    return this.#parts.kept.earlier(extension, at);
  }

  logger(extension: string): Logger {
    const { kept, settings } = this.#parts;
    return kept.logger(settings.log, extension);
  }

  register(extension: Registration): Registered {
    return this.#parts.registrations.register(extension);
  }

  setUnavailable(extension: Unavailable): () => void {
    return this.#parts.registrations.setUnavailable(extension);
  }

  nameOf(kind: string, name: string): string {
    const { entries, registrations } = this.#parts;
    const known = entries.find(kind, name) ?? registrations.find(name) ?? registrations.findUnavailable(name);
    return known?.name ?? name;
  }

  dependents(name: string): string[] {
    const { registrations, dependencies } = this.#parts;
    const extension = registrations.find(name);
    return extension ? dependencies.dependents(extension).map(({ key }) => key) : [];
  }

  async reconfigure(overrides: Overrides): Promise<string[]> {
    const done = await this.#parts.entries.reconfigure(overrides);
    this.#overrides = overrides;
    for (const [name, extension] of this.#discovered) extension.setDeadlines(overrides[name]?.deadlines ?? {});
    return done;
  }

  setProviders(providers: Providers): void {
    this.#providers = providers;
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    const { registrations, dependencies } = this.#parts;
    this.#arrivals.close();
    const removed = registrations.close();
    const later = (extension: Extension) => dependencies.laterThan(extension);
    const failures = await inOrder(this.#all(), later, (extension) => extension.close());
    await removed;
    if (failures.length > 0) throw new AggregateError(failures, 'could not stop every extension');
  }

  #all(): Extension[] {
    const { entries, registrations } = this.#parts;
    return [...entries.extensions, ...registrations.extensions, ...this.#discovered.values()];
  }

  async #activated(kind: string, name: string, options: GetOptions): Promise<Extension> {
    const extension = this.#known(kind, name);
    if (!extension) throw markAbsent(this.#unknown(kind, name), { kind, name });
    await extension.activated(options).catch((error: unknown) => {
      throw markAbsent(error, { kind, name });
    });
    if (!extension.kinds.includes(kind)) {
      throw invalidParameter(
        `plugin "${name}" does not implement ${kind} (it implements ${extension.kinds.join(', ') || 'nothing'})`,
      );
    }
    return extension;
  }

  #known(kind: string, name: string): Extension | undefined {
    const { entries, registrations } = this.#parts;
    return entries.find(kind, name) ?? registrations.find(name) ?? this.#find(name);
  }

  #described(extension: Extension): ExtensionStatus {
    const { place, status } = extension;
    if (!place?.address || status.carrier !== 'socket' || status.state !== 'active') return status;
    // The same process listens there as long as the place is the same one.
    if (!this.#seen.has(place)) this.#seen.set(place, this.#providers.at(addressText(place.address))?.id);
    const id = this.#seen.get(place);
    const provider = id === undefined ? undefined : this.#providers.find(id);
    return provider ? { ...status, provider } : status;
  }

  #select(wanted: (extension: Extension) => boolean): string[] {
    this.#scan();
    const found = this.#all().filter((extension) => extension.enabled && wanted(extension));
    return [...new Set(found.map((extension) => extension.name))];
  }

  /** The discovered one of that name; one that answered before is still known while it restarts. */
  #find(name: string): Extension | undefined {
    if (this.#parts.registrations.findUnavailable(name)) return undefined;
    const known = this.#discovered.get(name);
    if (known) return known.wasActive || known.present ? known : undefined;
    const { settings, onChange } = this.#parts;
    const { pluginDirectories: directories } = settings;
    const place = find(directories, name);
    if (!place) return undefined;
    const facts = {
      carrier: 'socket',
      kinds: [],
      origin: place.origin,
      deadlines: this.#overrides[name]?.deadlines ?? {},
    } as const;
    const extension = new Extension({ name, entry: undefined, log: this.logger(name), onChange }, facts, '');
    const patienceMs = (wasActive: boolean) => {
      if (wasActive) return patience.restarting;
      return find(directories, name)?.described ? patience.described : patience.stale;
    };
    extension.attach({ ...facts, source: { locate: () => find(directories, name), patienceMs } });
    this.#discovered.set(name, extension);
    return extension;
  }

  /** Brings what is known up to what lies in the directories now. */
  #scan(): void {
    if (this.#scanned && Date.now() - this.#scanned.at < scanMs) return;
    const names = scan(this.#parts.settings.pluginDirectories);
    this.#scanned = { names, at: Date.now() };
    for (const name of names) this.#find(name);
    for (const [name, extension] of this.#discovered) {
      // Never used and gone: forgotten. One that was in use is kept, so that its state tells why volumes do not work.
      if (!names.includes(name) && !extension.wasActive) this.#discovered.delete(name);
    }
  }

  #candidates(kind: string): string[] {
    return this.#select((extension) => extension.kinds.length === 0 || extension.kinds.includes(kind));
  }

  #unknown(kind: string, name: string): Error {
    const { entries, registrations } = this.#parts;
    // As Docker says it; it does not look any further.
    if (registrations.findUnavailable(name)) return conflict(`plugin ${name} found but disabled`);
    const off = entries.findDisabled(kind, name);
    if (off) {
      return notFound(
        `plugin "${name}" not found: extension ${off.id} is left out by the configuration; cleatd --extension ${off.id}=${off.carrier} brings it back`,
      );
    }
    const known = this.#candidates(kind).join(', ') || 'none';
    return notFound(`plugin "${name}" not found (known for ${kind}: ${known})`);
  }
}
