import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Attachment, Facts } from './backing.js';
import { InProcessCarrier } from './carriers/in-process.js';
import type { Dependencies, Member } from './dependencies.js';
import { Extension } from './extension.js';
import type { KeptLines } from './kept-lines.js';
import { type ManifestEntry, readManifests } from './manifest.js';
import { inOrder, type Prerequisites, prerequisites } from './order.js';
import type { ExtensionsSettings, Overrides } from './settings.js';
import type { Source } from './source.js';
import type { ExtensionStatus } from './status.js';
import { HostLauncher } from './supervisor/host-launcher.js';
import { endStragglers } from './supervisor/stragglers.js';
import { Supervisor } from './supervisor/supervisor.js';

const leftOut = 'left out by the configuration';

/** How long calls under way have to end when an entry is configured otherwise, in ms. */
const drainMs = 10_000;

export interface EntriesSettings extends ExtensionsSettings {
  kept: KeptLines;
  dependencies: Dependencies;
  onChange: (status: ExtensionStatus) => void;
}

interface Entry {
  readonly manifest: ManifestEntry;
  readonly extension: Extension;
}

/** The extensions that manifests name, each as the operator wants it. */
export class Entries {
  readonly #settings: EntriesSettings;
  readonly #directory: string;
  /** In the manifests' order. */
  #entries: ReadonlyMap<string, Entry> = new Map();
  /** By entry; of those that are enabled. */
  #order: ReadonlyMap<string, Prerequisites>;
  /** Former processes of what is to run in this one are gone. */
  readonly #cleared: Promise<void>;

  /** @throws InvalidParameter for a manifest or an override that is wrong, and an order that cannot be */
  constructor(settings: EntriesSettings) {
    this.#settings = settings;
    this.#directory = join(settings.execRoot, 'extensions');
    const manifest = this.#read(settings.overrides);
    this.#order = prerequisites(manifest);
    this.#entries = this.#entriesOf(manifest);
    const processes = manifest.filter(({ enabled, carrier }) => enabled && carrier === 'process');
    const attachments = [...this.#entries.values()]
      .filter((entry) => entry.manifest.enabled)
      .map(({ extension, manifest: one }) => ({ extension, attachment: this.#attachment(one) }));
    this.#cleared = endStragglers(this.#directory, new Set(processes.map(({ id }) => id)), settings.log);
    for (const { extension, attachment } of attachments) extension.attach(attachment);
  }

  /** Those that are to be used. */
  get members(): readonly Member[] {
    return [...this.#entries.values()].filter(({ manifest }) => manifest.enabled).map((entry) => this.#member(entry));
  }

  get extensions(): Extension[] {
    return [...this.#entries.values()].map(({ extension }) => extension);
  }

  find(kind: string, name: string): Extension | undefined {
    return this.#find((one) => one.enabled && one.driver === name && one.kinds.includes(kind))?.extension;
  }

  /** The entry of that driver that is left out, if there is one. */
  findDisabled(kind: string, name: string): ManifestEntry | undefined {
    return this.#find((one) => !one.enabled && one.driver === name && one.kinds.includes(kind))?.manifest;
  }

  /** The entry whose driver has that name, for whatever kind. */
  takenBy(name: string): string | undefined {
    return this.#find((one) => one.enabled && one.driver === name)?.manifest.id;
  }

  /**
   * Takes what the operator wants now: what is left out ends, after what needs it; what is configured otherwise is
   * replaced, and what is there again starts. @returns what was done, as sentences
   * @throws InvalidParameter as the constructor does; then nothing has changed
   */
  async reconfigure(overrides: Overrides): Promise<string[]> {
    const manifest = this.#read(overrides);
    const order = prerequisites(manifest);
    const before = this.#entries;
    const now = this.#entriesOf(manifest);
    const gone = [...before.values()].filter(
      (one) => one.manifest.enabled && !now.get(one.manifest.id)?.manifest.enabled,
    );
    const ended = this.#end(gone);
    this.#entries = now;
    this.#order = order;
    const done = gone.map(({ manifest: one }) => `${one.id} was stopped`);
    await ended;
    for (const { manifest: one, extension } of now.values()) {
      const old = before.get(one.id)?.manifest;
      if (old && isDeepStrictEqual({ ...old, deadlines: {} }, { ...one, deadlines: {} })) {
        extension.setDeadlines(one.deadlines);
      } else if (one.enabled && old?.enabled) {
        await extension.replace(this.#attachment(one), drainMs);
        done.push(`${one.id} was replaced`);
      } else if (one.enabled) {
        extension.attach(this.#attachment(one));
        done.push(`${one.id} was started`);
      }
    }
    return done;
  }

  async #end(gone: readonly Entry[]): Promise<void> {
    const { dependencies, log } = this.#settings;
    const extensions = gone.map(({ extension }) => extension);
    const later = (one: Extension) => dependencies.laterThan(one).filter((other) => extensions.includes(other));
    const failures = await inOrder(extensions, later, (extension) => extension.detach(leftOut));
    for (const error of failures) log.warn('could not stop an extension', { error });
  }

  #find(wanted: (entry: ManifestEntry) => boolean): Entry | undefined {
    for (const entry of this.#entries.values()) if (wanted(entry.manifest)) return entry;
    return undefined;
  }

  #read(overrides: Overrides): ManifestEntry[] {
    const { manifestPaths, variables, dataRoot, execRoot } = this.#settings;
    return readManifests({
      paths: manifestPaths,
      overrides,
      variables: { ...variables, dataRoot, execRoot },
      stateDirectory: join(dataRoot, 'extensions'),
    });
  }

  #entriesOf(manifest: readonly ManifestEntry[]): ReadonlyMap<string, Entry> {
    return new Map(
      manifest.map((one) => [
        one.id,
        { manifest: one, extension: this.#entries.get(one.id)?.extension ?? this.#create(one) },
      ]),
    );
  }

  #create(entry: ManifestEntry): Extension {
    const { kept, log, onChange } = this.#settings;
    const settings = { name: entry.driver, entry: entry.id, log: kept.logger(log, entry.id), onChange };
    return new Extension(settings, this.#facts(entry), leftOut);
  }

  #facts({ id, carrier, kinds, origin, deadlines }: ManifestEntry): Facts {
    return { carrier, kinds, origin, deadlines, prerequisites: () => this.#order.get(id) };
  }

  #member({ manifest: { id, kinds }, extension }: Entry): Member {
    // Their order is fixed: an extension that is registered later is none of those that they wait for.
    const { needs = [], after = [] } = this.#order.get(id) ?? {};
    return { extension, names: [id], kinds, needs, after };
  }

  #attachment(entry: ManifestEntry): Attachment {
    const { kept, log, dependencies } = this.#settings;
    const own = kept.logger(log, entry.id);
    const ready = async (signal?: AbortSignal) => {
      const now = this.#entries.get(entry.id);
      if (now) await dependencies.ready(this.#member(now), signal);
    };
    const facts = { ...this.#facts(entry), ready };
    if (entry.carrier === 'in-process') return { ...facts, source: inProcess(entry, own, this.#cleared, ready) };
    const launcher = new HostLauncher({
      entry,
      hostPath: this.#settings.hostPath,
      directory: this.#directory,
      log: own,
    });
    const origin = `${entry.origin} (${entry.id})`;
    return { ...facts, kept: true, source: new Supervisor({ launcher, socket: launcher.socket, origin, log: own }) };
  }
}

/** Loaded when it is first asked for, but not before a former process of the same extension is gone. */
function inProcess(
  entry: ManifestEntry,
  log: EntriesSettings['log'],
  cleared: Promise<void>,
  ready: () => Promise<void>,
): Source {
  const place = {
    id: entry.module,
    origin: `${entry.origin} (${entry.id})`,
    open: async () => {
      await Promise.all([cleared, ready()]);
      return await InProcessCarrier.load({ name: entry.driver, path: entry.module, options: entry.options, log });
    },
  };
  return { locate: () => place, patienceMs: () => 0 };
}
