import type { PluginManifest } from '@cleat/protocol/api/plugin';
import { conflict, invalidParameter, messageOf, notFound } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import type { BlobUser } from '../content/service.js';
import { isId, type PluginId } from '../ids.js';
import type { LayerUser } from '../layers/service.js';
import type { Collection, Store } from '../store/service.js';
import { parseName } from './names.js';
import type { PluginLayer, PluginRecord } from './record.js';
import { SignatureTimes } from './trust/rollback.js';

/** A plugin as the room works with it. */
export interface Plugin {
  readonly id: PluginId;
  readonly record: PluginRecord;
  readonly manifest: PluginManifest;
}

/** Which plugins there are, and what they are called. Backed by the store; the parsed manifests are in memory. */
export class PluginRegistry implements LayerUser, BlobUser {
  /** By publishers' signatures. */
  readonly signatures: SignatureTimes;
  readonly #records: Collection<PluginRecord>;
  readonly #loaded = new Map<PluginId, Plugin>();

  constructor(store: Store, log: Logger) {
    this.#records = store.collection('plugins');
    this.signatures = new SignatureTimes(store);
    for (const [, record] of this.#records.entries()) {
      try {
        this.#loaded.set(record.id, pluginOf(record));
      } catch (error) {
        // A plugin that another engine took is no reason not to start. Its record, and so its layers, are kept.
        log.error('a plugin cannot be used', { plugin: record.name, error: messageOf(error) });
      }
    }
  }

  all(): Plugin[] {
    return [...this.#loaded.values()];
  }

  /** By a full ID that was read somewhere. */
  byId(id: string): Plugin | undefined {
    return this.get(id as PluginId);
  }

  get(id: PluginId): Plugin | undefined {
    return this.#loaded.get(id);
  }

  /** By its full name. */
  byName(name: string): Plugin | undefined {
    return this.all().find(({ record }) => record.name === name);
  }

  /** By what a user calls it: a name, with or without `:latest`. */
  called(text: string): Plugin | undefined {
    // Authorization asks at each request, and most engines have none.
    if (this.#loaded.size === 0) return undefined;
    try {
      return this.byName(parseName(text));
    } catch {
      // No plugin can be called so.
      return undefined;
    }
  }

  /**
   * By name, ID, or the beginning of an ID (moby `daemon/pkg/plugin/store.go`).
   * @throws NotFound; InvalidParameter when several IDs begin so
   */
  find(text: string): Plugin {
    const named = isId(text) ? this.#loaded.get(text as PluginId) : this.called(text);
    if (named) return named;
    const found = text === '' ? [] : this.all().filter(({ id }) => id.startsWith(text));
    const [first] = found;
    if (found.length > 1) throw invalidParameter(`multiple plugins found for ${JSON.stringify(text)}`);
    if (!first) throw notFound(`plugin ${JSON.stringify(text)} not found`);
    return first;
  }

  /** @throws for a name that is taken: as a stock engine, Conflict where one is made, another where it comes from a registry */
  refuseTaken(name: string, refusal: (text: string) => Error = conflict): void {
    if (this.byName(name)) throw refusal(`plugin ${name} already exists`);
  }

  put(record: PluginRecord): Plugin {
    const plugin = pluginOf(record);
    // First: it may be refused.
    this.#records.put(record.id, record);
    this.#loaded.set(plugin.id, plugin);
    return plugin;
  }

  delete(id: PluginId): void {
    this.#records.delete(id);
    this.#loaded.delete(id);
  }

  usesLayer(diffId: string): boolean {
    return this.#layers().some((layer) => layer.diffId === diffId);
  }

  blobs(): string[] {
    return this.#layers().map(({ digest }) => digest);
  }

  /** The packages of all on record, those that an upgrade may go back to included. */
  #layers(): PluginLayer[] {
    return this.#records
      .entries()
      .flatMap(([, record]) => [...record.package.layers, ...(record.previous?.package.layers ?? [])]);
  }
}

const pluginOf = (record: PluginRecord): Plugin => ({
  id: record.id,
  record,
  manifest: readManifest(record.package.config, 'lenient'),
});
