import { join } from 'node:path';
import type { Extensions } from '@cleat/extensions/service';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { isClass } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { openAudit } from './audit/index.js';
import type { Audit } from './audit/service.js';
import { openAuthorization } from './authorization/index.js';
import type { Authorization } from './authorization/service.js';
import { openBuilds, type ServeBuilder } from './build/index.js';
import type { BuildHost, Builds } from './build/service.js';
import { openCallers } from './callers/index.js';
import type { Callers } from './callers/service.js';
import type { Closers } from './closers.js';
import type { EngineConfig } from './config.js';
import { lookupIn, openContainers, runningUsers, usersOfImage, usersOfVolume } from './containers/index.js';
import type { ContainerHost, Containers } from './containers/service.js';
import type { Events } from './events/service.js';
import { openExecs } from './exec/index.js';
import type { Execs } from './exec/service.js';
import type { Foundations } from './foundations.js';
import { openHealth } from './health/index.js';
import type { HealthChecks } from './health/service.js';
import { openHooks } from './hooks/index.js';
import type { Hooks } from './hooks/service.js';
import { openImages } from './images/index.js';
import type { ImageHost, Images } from './images/service.js';
import { openNetworks } from './networks/index.js';
import type { NetworkHost, Networks } from './networks/service.js';
import { Runtimes } from './oci/runtimes.js';
import { openOutbox } from './outbox/index.js';
import type { Outbox } from './outbox/service.js';
import { openPlugins } from './plugins/index.js';
import { HostSandboxes } from './plugins/running/host-sandboxes.js';
import { pluginRuntimeRoot } from './plugins/sandbox/places.js';
import { onDefaultBridge } from './plugins/sandbox/private-network.js';
import type { PluginHost, Plugins } from './plugins/service.js';
import { usesOf } from './plugins/uses.js';
import { openSpool } from './spool/index.js';
import type { Spool } from './spool/service.js';
import type { Store } from './store/service.js';
import { openSystem } from './system/index.js';
import type { System } from './system/service.js';
import { openVolumes } from './volumes/index.js';
import type { VolumeHost, Volumes } from './volumes/service.js';

/** All rooms, connected. */
export interface Rooms {
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
  readonly outbox: Outbox;
  readonly volumes: Volumes & VolumeHost;
  readonly plugins: Plugins & PluginHost;
  readonly events: Events;
  readonly system: System;
  readonly spool: Spool;
  readonly store: Store;
}

export interface RoomsDeps {
  readonly log: Logger;
  readonly extensions: Extensions;
  /** Serves the API to builders; without it nothing is built. */
  readonly serveBuilder?: ServeBuilder | undefined;
}

/** Where the engine's own figures are served for collectors in sandboxes, on `metrics.sock`. */
export function metricsDirectory({ execRoot }: Pick<EngineConfig, 'execRoot'>): string {
  const directory = join(execRoot, 'metrics');
  makeDirectories(directory, 0o755);
  return directory;
}

/**
 * Opens the rooms, and hands each what it needs of the others. Some need one that is opened after them, as a function.
 * Opening is not asynchronous, so that no timer, watcher or answer runs in the middle of it: nobody can ask for a room
 * that is not there yet. What waits to be opened belongs to the foundations; what has to be done first, to `start`.
 */
export function openRooms(
  config: EngineConfig,
  foundations: Foundations,
  { log, extensions, serveBuilder }: RoomsDeps,
  closers: Closers,
): Rooms {
  const { store, registry, events, helper, content, distribution, catalog, pluginRegistry, layers } = foundations;
  const room = (name: string): Logger => log.child({ room: name });
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
  closers.add('audit', () => audit.close());
  const outbox = openOutbox({ store, extensions, log: room('outbox') });
  closers.add('outbox', () => outbox.close());
  const spool = openSpool({
    config,
    log: room('spool'),
    extensions,
    outbox,
    logging: (driver) => plugins.logging(driver),
  });
  closers.add('spool', () => spool.close());
  const images = openImages({
    log: room('images'),
    events,
    catalog,
    content,
    layers,
    distribution,
    usage: (id) => usersOfImage(registry, id),
  });
  closers.add('images', () => images.close());
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
  closers.add('networks', () => networks.close());
  // Before the networks: those that have one of their own leave it.
  closers.add('plugins', () => plugins.close());
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
  closers.add('builds', () => builds.close());
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
  closers.add('hooks', () => hooks.close());

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
    outbox,
  };
}
