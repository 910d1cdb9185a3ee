import { invalidParameter, notFound } from '@cleat/protocol/errors';
import type { Client, Kind } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { markAbsent } from './absence.js';
import { Arrivals, type Awaited } from './arrivals.js';
import { addressText } from './carriers/address.js';
import { find, scan } from './discovery/directories.js';
import { Extension } from './extension.js';
import type { KeptLines } from './kept-lines.js';
import { inOrder, type Prerequisites } from './order.js';
import type { ArrivalOptions, ExtensionStatus, Extensions, GetOptions, KeptLine, Providers } from './service.js';
import type { Place } from './source.js';

export interface RegistrySettings {
  /** Entries of the manifest, in its order. */
  configured: readonly Extension[];
  /** Those that the operator left out. */
  disabled: readonly ExtensionStatus[];
  pluginDirectories: readonly string[];
  /** The operator's settings for a discovered plugin. */
  deadlines: (name: string) => Readonly<Record<string, number>>;
  log: Logger;
  /** Through which extensions write to that log. */
  kept: KeptLines;
  /** A configured extension is started after these, and so is stopped before them. */
  prerequisites: (entry: string) => Prerequisites | undefined;
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
  readonly #settings: RegistrySettings;
  readonly #discovered = new Map<string, Extension>();
  readonly #listeners: Set<Listener>;
  readonly #arrivals: Arrivals;
  #providers: Providers = { at: () => undefined, find: () => undefined };
  /** The container of each extension whose place was looked at. */
  readonly #seen = new WeakMap<Place, string | undefined>();
  #scanned: { names: readonly string[]; at: number } | undefined;

  constructor(settings: RegistrySettings, listeners: Set<Listener>) {
    this.#settings = settings;
    this.#listeners = listeners;
    this.#arrivals = new Arrivals({
      probe: async (kind, name) => {
        await this.#activated(kind, name, { impatient: true });
      },
      pluginDirectories: settings.pluginDirectories,
    });
    listeners.add(({ name, state }) => {
      if (state === 'active') this.#arrivals.hint(name);
    });
  }

  async get<K extends Kind>(kind: K, name: string, options: GetOptions = {}): Promise<Client<K>> {
    return (await this.#activated(kind.name, name, options)).client(kind);
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
    const all = [...this.#settings.configured, ...this.#discovered.values()];
    const known = [...all.map((extension) => this.#described(extension)), ...this.#settings.disabled];
    return withAwaited(known, this.#arrivals.list());
  }

  lines(extension: string, after?: number): readonly KeptLine[] {
    return this.#settings.kept.of(extension, after);
  }

  setProviders(providers: Providers): void {
    this.#providers = providers;
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#arrivals.close();
    const { configured, prerequisites } = this.#settings;
    const dependents = (extension: Extension) =>
      configured.filter(({ entry = '' }) => {
        const { needs = [], after = [] } = prerequisites(entry) ?? {};
        return [...needs, ...after].includes(extension.entry ?? '');
      });
    const all = [...configured, ...this.#discovered.values()];
    const failures = await inOrder(all, dependents, (extension) => extension.close());
    if (failures.length > 0) throw new AggregateError(failures, 'could not stop every extension');
  }

  async #activated(kind: string, name: string, options: GetOptions): Promise<Extension> {
    const configured = this.#settings.configured.find((one) => one.name === name && one.kinds.includes(kind));
    const extension = configured ?? this.#find(name);
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

  #described(extension: Extension): ExtensionStatus {
    const { place, status } = extension;
    if (!place?.address || extension.entry !== undefined || status.state !== 'active') return status;
    // The same process listens there as long as the place is the same one.
    if (!this.#seen.has(place)) this.#seen.set(place, this.#providers.at(addressText(place.address))?.id);
    const id = this.#seen.get(place);
    const provider = id === undefined ? undefined : this.#providers.find(id);
    return provider ? { ...status, provider } : status;
  }

  #select(wanted: (extension: Extension) => boolean): string[] {
    this.#scan();
    const all = [...this.#settings.configured, ...this.#discovered.values()];
    return [...new Set(all.filter(wanted).map((extension) => extension.name))];
  }

  /** The discovered one of that name; one that answered before is still known while it restarts. */
  #find(name: string): Extension | undefined {
    const known = this.#discovered.get(name);
    if (known) return known.present || known.wasActive ? known : undefined;
    const { pluginDirectories: directories, log, kept } = this.#settings;
    const place = find(directories, name);
    if (!place) return undefined;
    const extension = new Extension({
      name,
      entry: undefined,
      carrier: 'socket',
      declaredKinds: [],
      origin: place.origin,
      source: {
        locate: () => find(directories, name),
        patienceMs: (wasActive) => {
          if (wasActive) return patience.restarting;
          return find(directories, name)?.described ? patience.described : patience.stale;
        },
      },
      deadlines: this.#settings.deadlines(name),
      log: kept.logger(log, name),
      onChange: (status) => {
        for (const listener of this.#listeners) listener(status);
      },
    });
    this.#discovered.set(name, extension);
    return extension;
  }

  /** Brings what is known up to what lies in the directories now. */
  #scan(): void {
    if (this.#scanned && Date.now() - this.#scanned.at < scanMs) return;
    const names = scan(this.#settings.pluginDirectories);
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
    const off = this.#settings.disabled.find((one) => one.name === name && one.kinds.includes(kind));
    if (off) {
      return notFound(
        `plugin "${name}" not found: extension ${off.entry} is left out by the configuration; cleatd --extension ${off.entry}=${off.carrier} brings it back`,
      );
    }
    const known = this.#candidates(kind).join(', ') || 'none';
    return notFound(`plugin "${name}" not found (known for ${kind}: ${known})`);
  }
}

/** Each with those who wait for it, and at the end those whom somebody waits for, and of whom nothing is known. */
function withAwaited(known: readonly ExtensionStatus[], awaited: readonly Awaited[]): ExtensionStatus[] {
  const all = [...known];
  for (const { kind, name, since, reason, by } of awaited) {
    const at = all.findIndex((one) => one.name === name && (one.kinds.length === 0 || one.kinds.includes(kind)));
    const status = all[at];
    if (status) all[at] = { ...status, awaitedBy: by };
    else all.push(missing(kind, name, since, reason, by));
  }
  return all;
}

function missing(
  kind: string,
  name: string,
  since: Date,
  reason: string,
  awaitedBy: readonly string[],
): ExtensionStatus {
  return {
    name,
    entry: undefined,
    kinds: [kind],
    carrier: 'socket',
    origin: '-',
    state: 'missing',
    reason,
    since,
    health: 'unknown',
    lastError: undefined,
    underWay: 0,
    retries: 0,
    methods: [],
    deadlines: {},
    awaitedBy,
  };
}
