import type { Provider } from '@cleat/extensions/service';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Container } from './container.js';
import { setHostConfig } from './create/at-start.js';
import { createContainer } from './create/create.js';
import { emitterFor } from './emit.js';
import { execTarget } from './exec-target.js';
import { exportContainer, getArchive, putArchive, statPath } from './files/archive.js';
import { containerChanges } from './files/changes.js';
import { commitContainer } from './files/commit.js';
import { containerSize } from './files/size.js';
import { killContainer } from './life/kill.js';
import { connectNetwork, disconnectNetwork, lookup } from './life/networks.js';
import { pauseContainer, unpauseContainer } from './life/pause.js';
import { pruneContainers } from './life/prune.js';
import { recoverContainers } from './life/recover.js';
import { removeContainer } from './life/remove.js';
import { renameContainer } from './life/rename.js';
import { shutdownContainers } from './life/shutdown.js';
import { startContainer } from './life/start.js';
import { restartContainer, stopContainer } from './life/stop.js';
import { updateContainer } from './life/update.js';
import { waitCondition, waitFor } from './life/wait.js';
import { removeLink } from './links/links.js';
import { ContainerPaths } from './paths.js';
import { providerAt } from './providers.js';
import { Registry } from './registry.js';
import type { ContainersDeps, Room } from './room.js';
import { Runtimes } from './runtimes.js';
import type { Containers } from './service.js';
import { attachContainer } from './streams/attach.js';
import { containerLogs } from './streams/logs.js';
import { resizeContainer } from './streams/resize.js';
import { usersOfImage, usersOfVolume } from './users.js';
import { inspectContainer } from './view/inspect.js';
import { listContainers } from './view/list.js';
import { containerStats } from './view/stats.js';
import { top } from './view/top.js';

export type { ContainersDeps } from './room.js';

/** What the registry of extensions shows of one that an extension runs in. */
function provider(container: Container | undefined): Provider | undefined {
  return container?.running ? { id: container.id, name: container.record.name } : undefined;
}

/** Opens the room: loads the records, touches nothing else. `recover()` then finds what runs. */
export function openContainers(deps: ContainersDeps): Containers {
  const paths = new ContainerPaths(deps.config);
  const room: Room = {
    ...deps,
    paths,
    registry: new Registry(deps.store),
    making: new Map(),
    runtimes: new Runtimes(deps.config, paths),
    execs: undefined,
    stopping: false,
    healthChecks: { total: 0, failed: 0 },
    closed: false,
    background: new Set(),
    emit: emitterFor(deps.events),
  };
  const of = (ref: string) => room.registry.get(ref);
  let watch: { close(): void } | undefined;
  deps.networks.setContainers(lookup(room));

  return {
    create: (request, options) => createContainer(room, request, options),
    list: async (query) => {
      const rows = listContainers(room, query);
      if (!query.size) return rows;
      return await Promise.all(rows.map(async (row) => ({ ...row, ...(await containerSize(room, of(row.Id))) })));
    },
    inspect: async (ref, options) => {
      const container = of(ref);
      const size = options?.size ? await containerSize(room, container) : undefined;
      return { ...inspectContainer(room, container), ...size };
    },
    start: async (ref, options) => {
      if (options?.checkpoint) throw invalidParameter('checkpoint is only supported in experimental mode');
      const container = of(ref);
      if (options?.hostConfig) await setHostConfig(room, container, options.hostConfig);
      await startContainer(room, container);
    },
    stop: async (ref, options) => stopContainer(room, of(ref), { ...options, ref }),
    restart: async (ref, options) => restartContainer(room, of(ref), { ...options, ref }),
    kill: async (ref, signal) => killContainer(room, of(ref), signal),
    pause: async (ref) => pauseContainer(room, of(ref)),
    unpause: async (ref) => unpauseContainer(room, of(ref)),
    rename: async (ref, name) => renameContainer(room, of(ref), name),
    remove: async (ref, options) =>
      options.link ? removeLink(room, ref) : removeContainer(room, of(ref), { ...options, ref }),
    wait: (ref, condition, signal) => ({ result: waitFor(of(ref), waitCondition(condition), signal) }),
    attach: async (ref, options) => attachContainer(room, of(ref), options),
    resize: async (ref, size) => resizeContainer(room, of(ref), size),
    logs: async (ref, options) => containerLogs(room, of(ref), options),
    top: async (ref, psArgs) => top(room, of(ref), psArgs),
    stats: async (ref, options) => containerStats(room, of(ref), options),
    changes: async (ref) => containerChanges(room, of(ref)),
    statPath: async (ref, path) => statPath(room, of(ref), ref, path),
    getArchive: async (ref, path) => getArchive(room, of(ref), ref, path),
    putArchive: async (ref, path, tar, options) => putArchive(room, of(ref), ref, path, tar, options),
    export: async (ref) => exportContainer(room, of(ref)),
    commit: async (ref, options) => commitContainer(room, of(ref), options),
    update: async (ref, request) => updateContainer(room, of(ref), request),
    prune: async (filters) =>
      pruneContainers(
        room,
        filters,
        (container) => removeContainer(room, container, { force: false, volumes: false, ref: container.id }),
        async (container) => (await containerSize(room, container)).SizeRw,
      ),
    connectNetwork: async (network, ref, endpoint) => connectNetwork(room, of(ref), network, endpoint),
    disconnectNetwork: async (network, ref, force) => disconnectNetwork(room, of(ref), network, force),
    execTarget: (ref) => execTarget(room, of(ref), ref),
    setExecs: (execs) => {
      room.execs = execs;
    },
    providers: {
      at: (address) => provider(providerAt(room, address)),
      find: (id) => provider(room.registry.byFullId(id)),
    },
    usersOfImage: (imageId) => usersOfImage(room, imageId),
    usersOfVolume: (name) => usersOfVolume(room, name),
    recover: async () => {
      watch = await recoverContainers(room);
    },
    counts: () => room.registry.counts(),
    healthChecks: () => ({ ...room.healthChecks }),
    shutdown: async (options) => {
      await shutdownContainers(room, options);
      await Promise.all(room.background);
      room.closed = true;
      watch?.close();
    },
  };
}
