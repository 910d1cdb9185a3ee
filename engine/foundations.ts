import { join } from 'node:path';
import { Helper } from '@cleat/linux/helper/helper';
import type { Caller } from '@cleat/protocol/caller';
import type { Logger } from '@cleat/protocol/log';
import type { Closers } from './closers.js';
import type { EngineConfig } from './config.js';
import { Registry } from './containers/index.js';
import { openContent } from './content/index.js';
import type { Content } from './content/service.js';
import { openDistribution } from './distribution/index.js';
import type { Distribution } from './distribution/service.js';
import { defaultRetention, openEvents } from './events/index.js';
import type { Events } from './events/service.js';
import { Catalog } from './images/index.js';
import { openLayers } from './layers/index.js';
import type { Layers } from './layers/service.js';
import { openView } from './oci/remap.js';
import { PluginRegistry } from './plugins/index.js';
import { openStore } from './store/index.js';
import type { Store } from './store/service.js';

/** The rooms on which the others stand; each knows only those before it. */
export interface Foundations {
  readonly store: Store;
  readonly registry: Registry;
  readonly events: Events;
  readonly helper: Helper;
  readonly content: Content;
  readonly distribution: Distribution;
  readonly catalog: Catalog;
  readonly pluginRegistry: PluginRegistry;
  readonly layers: Layers;
}

export interface FoundationsDeps {
  readonly log: Logger;
  /** Tells events for which client the present code runs. */
  readonly caller?: (() => Caller | undefined) | undefined;
}

/** Opens them on `config.dataRoot` and `config.execRoot`; `closers` is told how to close what is open so far. */
export async function openFoundations(
  config: EngineConfig,
  { log, caller }: FoundationsDeps,
  closers: Closers,
): Promise<Foundations> {
  const room = (name: string): Logger => log.child({ room: name });
  const store = openStore(join(config.dataRoot, 'store'));
  closers.add('store', () => store.close());
  // Rooms that refuse to remove what a container uses ask the records of containers, which are there before them.
  const registry = new Registry(store);
  const events = openEvents({
    directory: join(config.dataRoot, 'events'),
    log: room('events'),
    // SIGHUP may change both.
    retention: () => ({
      maxBytes: config.eventsMaxBytes ?? defaultRetention.maxBytes,
      maxAgeMs: config.eventsMaxAgeMs,
    }),
    caller,
    store,
    daemon: { id: config.engineId, name: config.name },
  });
  closers.add('events', () => events.close());
  if (config.remap) {
    const view = await openView(config, config.remap);
    closers.add('the view of remapped containers', () => view.close());
  }
  const helper = new Helper();
  closers.add('helper', () => helper.close());
  const content = await openContent(join(config.dataRoot, 'blobs'));
  const distribution = openDistribution({ config, reach: undefined, log: room('distribution'), content });
  const catalog = new Catalog(store);
  const pluginRegistry = new PluginRegistry(store, room('plugins'));
  content.addUser(pluginRegistry);
  const layers = await openLayers({
    directory: join(config.dataRoot, 'layers'),
    content,
    store,
    users: [catalog, pluginRegistry],
    log: room('layers'),
    keepArchives: config.keepLayerArchives,
  });
  return { store, registry, events, helper, content, distribution, catalog, pluginRegistry, layers };
}
