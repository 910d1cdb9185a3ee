import type { Provider } from '@cleat/extensions/service';
import { invalidParameter } from '@cleat/protocol/errors';
import { Runtimes } from '../oci/runtimes.js';
import { killContainer } from './commands/kill.js';
import { connectNetwork, disconnectNetwork, refuseWithoutContainer } from './commands/networks.js';
import { pauseContainer, unpauseContainer } from './commands/pause.js';
import { pruneContainers } from './commands/prune.js';
import { recoverContainers } from './commands/recover.js';
import { removeContainer } from './commands/remove.js';
import { renameContainer } from './commands/rename.js';
import { restartContainer } from './commands/restart.js';
import { shutdownContainers } from './commands/shutdown.js';
import { startContainer } from './commands/start.js';
import { stopContainer } from './commands/stop.js';
import { updateContainer } from './commands/update.js';
import { waitCondition, waitFor } from './commands/wait.js';
import type { ContainersDeps, Context } from './context.js';
import { setHostConfig } from './create/at-start.js';
import { createContainer } from './create/create.js';
import { emitterFor } from './emit.js';
import { execTarget } from './exec-target.js';
import { exportContainer, getArchive, putArchive, statPath } from './files/archive.js';
import { containerChanges } from './files/changes.js';
import { commitContainer } from './files/commit.js';
import { containerSize } from './files/size.js';
import { removeLink } from './links/links.js';
import { ContainerPaths } from './paths.js';
import { providerAt } from './providers.js';
import type { ContainerHost, Containers } from './service.js';
import type { Container } from './state/container.js';
import { attachContainer } from './streams/attach.js';
import { containerLogs } from './streams/logs.js';
import { resizeContainer } from './streams/resize.js';
import { inspectContainer } from './view/inspect.js';
import { listContainers } from './view/list.js';
import { containerStats } from './view/stats.js';
import { top } from './view/top.js';
import { RunWatchers } from './watchers.js';

export type { ContainersDeps } from './context.js';
export { Registry } from './state/registry.js';
export { lookupIn, runningUsers, usersOfImage, usersOfVolume } from './usage.js';

/** The container in which an extension runs, for the registry of extensions. */
function provider(container: Container | undefined): Provider | undefined {
  return container?.running ? { id: container.id, name: container.record.name } : undefined;
}

/** Opens the room, and touches nothing: `recover()` then finds what runs. */
export function openContainers(deps: ContainersDeps): Containers & ContainerHost {
  const paths = new ContainerPaths(deps.config);
  const context: Context = {
    ...deps,
    paths,
    runtimes: new Runtimes(deps.config, (name) => paths.runtimeRoot(name), deps.runtimePlugins),
    watchers: new RunWatchers(),
    stopping: false,
    closed: false,
    background: new Set(),
    emit: emitterFor(deps.events),
  };
  const of = (ref: string) => context.registry.get(ref);
  let watch: { close(): void } | undefined;

  return {
    create: (request, options) => createContainer(context, request, options),
    list: async (query) => {
      const rows = listContainers(context, query);
      if (!query.size) return rows;
      return await Promise.all(rows.map(async (row) => ({ ...row, ...(await containerSize(context, of(row.Id))) })));
    },
    inspect: async (ref, options) => {
      const container = of(ref);
      if (!options?.size) return inspectContainer(context, container);
      return { ...inspectContainer(context, container), ...(await containerSize(context, container)) };
    },
    start: async (ref, options) => {
      if (options?.checkpoint) throw invalidParameter('checkpoint is only supported in experimental mode');
      const container = of(ref);
      if (options?.hostConfig) await setHostConfig(context, container, options.hostConfig);
      await startContainer(context, container);
    },
    stop: async (ref, options) => stopContainer(context, of(ref), { ...options, ref }),
    restart: async (ref, options) => restartContainer(context, of(ref), { ...options, ref }),
    kill: async (ref, signal) => killContainer(context, of(ref), signal),
    pause: async (ref) => pauseContainer(context, of(ref)),
    unpause: async (ref) => unpauseContainer(context, of(ref)),
    rename: async (ref, name) => renameContainer(context, of(ref), name),
    remove: async (ref, options) =>
      options.link ? removeLink(context, ref) : removeContainer(context, of(ref), { ...options, ref }),
    wait: (ref, condition, signal) => ({ result: waitFor(of(ref), waitCondition(condition), signal) }),
    attach: async (ref, options) => attachContainer(context, of(ref), options),
    resize: async (ref, size) => resizeContainer(context, of(ref), size),
    logs: async (ref, options) => containerLogs(context, of(ref), options),
    top: async (ref, psArgs) => top(context, of(ref), psArgs),
    stats: async (ref, options) => containerStats(context, of(ref), options),
    changes: async (ref) => containerChanges(context, of(ref)),
    statPath: async (ref, path) => statPath(context, of(ref), ref, path),
    getArchive: async (ref, path) => getArchive(context, of(ref), ref, path),
    putArchive: async (ref, path, tar, options) => putArchive(context, of(ref), ref, path, tar, options),
    export: async (ref) => exportContainer(context, of(ref)),
    commit: async (ref, options) => commitContainer(context, of(ref), options),
    update: async (ref, request) => updateContainer(context, of(ref), request),
    prune: async (filters) =>
      pruneContainers(
        context,
        filters,
        (container) => removeContainer(context, container, { force: false, volumes: false, ref: container.id }),
        async (container) => (await containerSize(context, container)).SizeRw,
      ),
    connectNetwork: async (network, ref, endpoint) => connectNetwork(context, of(ref), network, endpoint),
    disconnectNetwork: async (network, ref, force) => {
      const found = force ? context.registry.lookUp(ref) : of(ref);
      if (found) await disconnectNetwork(context, found, network, force);
      else refuseWithoutContainer(context, ref, network);
    },
    execTarget: (ref) => execTarget(context, of(ref), ref),
    madeBy: (builder) =>
      context.registry
        .all()
        .filter(({ record }) => record.builder !== undefined && (builder ?? record.builder) === record.builder)
        .map(({ id }) => id),
    hideVariables: (ref, variables) => {
      of(ref).hiddenVariables = variables;
    },
    letGo: (id) => {
      const container = context.registry.byFullId(id);
      if (container?.record.builder === undefined) return;
      delete container.record.builder;
      container.save();
    },
    watchRuns: (watcher) => context.watchers.add(watcher),
    providers: {
      at: (address) => provider(providerAt(context, address)),
      find: (id) => provider(context.registry.byFullId(id)),
    },
    recover: async () => {
      watch = await recoverContainers(context);
    },
    counts: () => context.registry.counts(),
    shutdown: async (options) => {
      await shutdownContainers(context, options);
      await Promise.all(context.background);
      context.closed = true;
      watch?.close();
    },
  };
}
