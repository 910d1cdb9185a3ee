import { join } from 'node:path';
import { absenceOf } from '@cleat/extensions/absence';
import type { Extensions } from '@cleat/extensions/service';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { Helper } from '@cleat/linux/helper/helper';
import { within } from '@cleat/protocol/async/deadline';
import type { Caller } from '@cleat/protocol/caller';
import { invalidParameter, isClass, messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { openAudit } from './audit/index.js';
import type { Audit } from './audit/service.js';
import { openAuthorization } from './authorization/index.js';
import type { Authorization } from './authorization/service.js';
import { openBuilds, type ServeBuilder } from './build/index.js';
import type { BuildHost, Builds } from './build/service.js';
import { openCallers } from './callers/index.js';
import type { Callers } from './callers/service.js';
import type { EngineConfig } from './config.js';
import { lookupIn, openContainers, Registry, runningUsers, usersOfImage, usersOfVolume } from './containers/index.js';
import type { ContainerHost, Containers } from './containers/service.js';
import { openContent } from './content/index.js';
import { openDistribution } from './distribution/index.js';
import { defaultRetention, openEvents } from './events/index.js';
import type { Events } from './events/service.js';
import { openExecs } from './exec/index.js';
import type { Execs } from './exec/service.js';
import { openHealth } from './health/index.js';
import type { HealthChecks } from './health/service.js';
import { openHooks } from './hooks/index.js';
import type { Hooks } from './hooks/service.js';
import { Catalog, openImages } from './images/index.js';
import type { ImageHost, Images } from './images/service.js';
import { openLayers } from './layers/index.js';
import { openNetworks } from './networks/index.js';
import type { NetworkHost, Networks } from './networks/service.js';
import { openView } from './oci/remap.js';
import { Runtimes } from './oci/runtimes.js';
import { openOutbox } from './outbox/index.js';
import { openPlugins, PluginRegistry } from './plugins/index.js';
import { HostSandboxes } from './plugins/running/host-sandboxes.js';
import { pluginRuntimeRoot } from './plugins/sandbox/places.js';
import { onDefaultBridge } from './plugins/sandbox/private-network.js';
import type { PluginHost, Plugins } from './plugins/service.js';
import { usesOf } from './plugins/uses.js';
import { openSpool } from './spool/index.js';
import type { Spool } from './spool/service.js';
import { openStore } from './store/index.js';
import type { Store } from './store/service.js';
import { openSystem } from './system/index.js';
import type { System } from './system/service.js';
import { openVolumes } from './volumes/index.js';
import type { VolumeHost, Volumes } from './volumes/service.js';
import { warm } from './warm.js';

/** All rooms, connected. */
export interface Engine {
  readonly audit: Audit;
  readonly authorization: Authorization;
  readonly builds: Builds & BuildHost;
  readonly callers: Callers;
  readonly containers: Containers & ContainerHost;
  readonly execs: Execs;
  readonly health: HealthChecks;
  readonly hooks: Hooks;
  readonly images: Images & ImageHost;
  readonly networks: Networks & NetworkHost;
  readonly volumes: Volumes & VolumeHost;
  readonly plugins: Plugins & PluginHost;
  readonly events: Events;
  readonly system: System;
  readonly spool: Spool;
  readonly store: Store;
  /** Start-up is recovery: networks come back, then containers are found, then what nobody uses is removed. */
  start(): Promise<void>;
  /** Stops serving, in the reverse order; containers are left as they are. Does all it can. @returns failures */
  close(): Promise<string[]>;
}

export interface EngineDeps {
  readonly log: Logger;
  readonly extensions: Extensions;
  /** Tells events for which client the present code runs. */
  readonly caller?: () => Caller | undefined;
  /** Serves the API to builders; without it nothing is built. */
  readonly serveBuilder?: ServeBuilder;
}

/** @throws InvalidParameter for default log options that no container could be made with (moby `daemon/logs.go`) */
async function checkLogDefaults({ logDriver, logOpts }: EngineConfig, spool: Spool): Promise<void> {
  if (Object.keys(logOpts).length === 0) return;
  try {
    await spool.checkDriver(logDriver, logOpts, { patient: true });
  } catch (cause) {
    // They are checked again for each container; the driver may be one of those, and come later.
    if (absenceOf(cause)) return;
    throw invalidParameter(`failed to set log opts: ${messageOf(cause)}`, { cause });
  }
}

/** How long the start of the engine waits for what asks extensions; what takes longer goes on beside it. */
const startPatienceMs = 3_000;

/** The room of managed plugins. */
const warmLatestMs = 1_000;

/** @throws what `work` throws within that time; later it is for `late` to tell */
async function soon(work: Promise<void>, late: (error: unknown) => void): Promise<void> {
  if ((await within(startPatienceMs, work, 'late')) === 'late') work.catch(late);
}

/** Where the engine's own figures are served for collectors in sandboxes, on `metrics.sock`. */
export function metricsDirectory({ execRoot }: Pick<EngineConfig, 'execRoot'>): string {
  const directory = join(execRoot, 'metrics');
  makeDirectories(directory, 0o755);
  return directory;
}

/** Opens the rooms on `config.dataRoot` and `config.execRoot`, which must exist and be locked by the caller. */
export async function openEngine(
  config: EngineConfig,
  { log, extensions, caller, serveBuilder }: EngineDeps,
): Promise<Engine> {
  const closers: [what: string, close: () => Promise<void> | void][] = [];
  let isClosing = false;
  const closing = async (): Promise<string[]> => {
    isClosing = true;
    const failures: string[] = [];
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) {
      const [what, close] = next;
      try {
        await close();
      } catch (error) {
        failures.push(`${what}: ${messageOf(error)}`);
      }
    }
    return failures;
  };
  const room = (name: string): Logger => log.child({ room: name });
  try {
    const store = openStore(join(config.dataRoot, 'store'));
    closers.push(['store', () => store.close()]);
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
    closers.push(['events', () => events.close()]);
    const audit = openAudit({
      directory: join(config.dataRoot, 'audit'),
      log: room('audit'),
      config,
      container: (ref) => {
        const { id, record } = registry.get(ref);
        return { ID: id, Name: record.name };
      },
      containerOfExec: (execId) => {
        const id = execs.containerOf(execId);
        const record = id === undefined ? undefined : registry.byFullId(id)?.record;
        return record && { ID: record.id, Name: record.name };
      },
    });
    closers.push(['audit', () => audit.close()]);
    if (config.remap) {
      const view = await openView(config, config.remap);
      closers.push(['the view of remapped containers', () => view.close()]);
    }
    const helper = new Helper();
    closers.push(['helper', () => helper.close()]);
    const outbox = openOutbox({ store, extensions, log: room('outbox') });
    closers.push(['outbox', () => outbox.close()]);
    const spool = openSpool({
      config,
      log: room('spool'),
      extensions,
      outbox,
      logging: (driver) => plugins.logging(driver),
    });
    closers.push(['spool', () => spool.close()]);
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
    const images = openImages({
      log: room('images'),
      events,
      catalog,
      content,
      layers,
      distribution,
      usage: (id) => usersOfImage(registry, id),
    });
    closers.push(['images', () => images.close()]);
    const plugins = openPlugins({
      directory: join(config.execRoot, 'saved-plugins'),
      log: room('plugins'),
      events,
      registry: pluginRegistry,
      content,
      layers,
      distribution,
      extensions,
      config,
      helper,
      sandboxes: new HostSandboxes({
        config,
        log: room('plugins'),
        layers,
        extensions,
        helper,
        runtimes: new Runtimes(config, (name) => pluginRuntimeRoot(config, name)),
        shares: { metrics: metricsDirectory(config) },
        // Opened later: it asks for drivers, which may run in sandboxes.
        network: onDefaultBridge({
          attach: (request) => networks.attach(request),
          adopt: (id) => networks.adopt(id),
          detach: (id) => networks.detach(id),
        }),
      }),
      usage: (name) =>
        usesOf(
          {
            volumes: (driver) => volumes.ofDriver(driver),
            networks: (driver) => networks.ofDriver(driver),
            runningUsers: (used) => runningUsers(registry, used),
          },
          name,
          (called) => pluginRegistry.called(called)?.record.name === name,
        ),
    });
    const volumes = openVolumes({
      config,
      log: room('volumes'),
      store,
      events,
      extensions,
      outbox,
      helper,
      place: (driver, path) => plugins.place(driver, path),
      references: (name) => usersOfVolume(registry, name),
    });
    const networks = openNetworks({
      config,
      log: room('networks'),
      store,
      events,
      extensions,
      outbox,
      containers: lookupIn(registry),
      others: () => plugins.active(),
    });
    closers.push(['networks', () => networks.close()]);
    // Before the networks: those that have one of their own leave it.
    closers.push(['plugins', () => plugins.close()]);
    const containers = openContainers({
      config,
      log: room('containers'),
      registry,
      events,
      images,
      volumes,
      networks,
      spool,
      extensions,
      helper,
      runtimePlugins: (called) => plugins.runtime(called),
    });
    const execs = openExecs({
      config,
      log: room('exec'),
      containers: { execTarget: (ref) => plugins.execTarget(ref) ?? containers.execTarget(ref) },
    });
    const health = openHealth({ log: room('health'), containers, execs });
    const builds = openBuilds({
      config,
      log: room('build'),
      events,
      extensions,
      helper,
      images,
      distribution,
      containers,
      serve: serveBuilder,
    });
    closers.push(['builds', () => builds.close()]);
    const system = openSystem({
      config,
      helper,
      containers,
      images,
      builds,
      volumes,
      events,
      extensions,
      warnings: () => spool.warnings(),
      runtimePlugins: () => plugins.runtimes(),
    });

    const hooks = openHooks({
      config,
      extensions,
      log: room('hooks'),
      addressOf: async (name) => {
        const found = await containers.inspect(name, { size: false }).catch((error: unknown) => {
          if (isClass(error, 'NotFound')) return undefined;
          throw error;
        });
        const networks = Object.values(found?.NetworkSettings.Networks ?? {});
        return networks.find(({ IPAddress }) => IPAddress)?.IPAddress;
      },
    });
    closers.push(['hooks', () => hooks.close()]);

    extensions.setProviders(containers.providers);

    return {
      audit,
      authorization: openAuthorization({
        config,
        extensions,
        log: room('authorization'),
        isDisabled: (name) => pluginRegistry.called(name)?.record.enabled === false,
      }),
      builds,
      callers: openCallers({
        container: (id) => registry.byFullId(id)?.record,
        plugin: (id) => pluginRegistry.byId(id)?.record,
      }),
      containers,
      execs,
      health,
      hooks,
      images,
      networks,
      volumes,
      plugins,
      events,
      system,
      spool,
      store,
      async start() {
        const late = (what: string) => (error: unknown) => log.error(what, { error: messageOf(error) });
        outbox.start();
        builds.makePlaces();
        // They come up while the rest starts, and whatever needs them waits by itself.
        await plugins.start();
        await soon(checkLogDefaults(config, spool), late('the default log options are wrong'));
        await soon(networks.start(), late('the predefined networks could not be made'));
        spool.recover();
        await execs.recover();
        await containers.recover();
        await builds.start();
        // Plugins that start need the processors more, but not for long.
        void within(warmLatestMs, plugins.settled(), undefined).then(() => {
          if (!isClosing) void warm({ config, extensions, helper, images, log });
        });
      },
      close: closing,
    };
  } catch (error) {
    await closing(); // The first error is the one that says what is wrong.
    throw error;
  }
}
