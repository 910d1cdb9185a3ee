import type { Progress } from '@cleat/protocol/api/image';
import { unavailable } from '@cleat/protocol/errors';
import { isRuntime } from '@cleat/protocol/plugins/types';
import { disable } from './commands/disable.js';
import { enable } from './commands/enable.js';
import { list } from './commands/list.js';
import { remove } from './commands/remove.js';
import { set } from './commands/set.js';
import { contextOf, type PluginsDeps } from './context.js';
import { nameFor } from './names.js';
import { resourceOf } from './resource.js';
import { Running } from './running/running.js';
import { startAll } from './running/start.js';
import type { PluginHost, Plugins } from './service.js';

export type { PluginsDeps } from './context.js';
export { PluginRegistry } from './registry.js';

/** The code that fetches and makes plugins is loaded with its first use: an engine at rest does not need it. */
export function openPlugins(deps: PluginsDeps): Plugins & PluginHost {
  const running = new Running(deps);
  const closing = new AbortController();
  const context = contextOf(deps, running, closing.signal);
  const { registry, sandboxes } = deps;
  let settling = Promise.resolve();
  return {
    list: (filters) => list(context, filters),
    inspect(called) {
      const plugin = registry.find(called);
      return resourceOf(plugin, running.status(plugin.id));
    },
    nameFor,
    privileges: async (remote, options) => (await import('./install/pull.js')).privileges(context, remote, options),
    pull: (options) => lazily(async () => (await import('./install/pull.js')).pull(context, options)),
    upgrade: (options) => lazily(async () => (await import('./install/upgrade.js')).upgrade(context, options)),
    push: (called, options) => lazily(async () => (await import('./push/push.js')).push(context, called, options)),
    create: async (name, archive, signal) =>
      (await import('./install/create.js')).create(context, name, archive, signal),
    save: async (called, format) =>
      format === 'oci'
        ? (await import('./push/save-layout.js')).saveLayout(context, called)
        : (await import('./push/save.js')).save(context, called),
    enable: (called, timeoutSeconds) => enable(context, called, timeoutSeconds),
    disable: (called, options) => disable(context, called, options),
    set: (called, settings) => set(context, called, settings),
    remove: (called, options) => remove(context, called, options),

    async start() {
      const enabled = registry.all().filter(({ record }) => record.enabled);
      await sandboxes.endStrangers(new Set(enabled.map(({ id }) => id)));
      settling = startAll(context);
    },
    settled: () => settling,
    active: () => sandboxes.active(),
    execTarget: (id) => sandboxes.execTarget(id),
    runtime(called) {
      const plugin = registry.called(called);
      if (!plugin || !isRuntime(plugin.manifest)) return undefined;
      const { name, enabled } = plugin.record;
      if (!enabled) throw unavailable(`the runtime ${name} is a plugin that is disabled: docker plugin enable ${name}`);
      return { name, runtime: sandboxes.runtime(plugin) };
    },
    runtimes: () =>
      registry.all().flatMap(({ record, manifest }) => (record.enabled && isRuntime(manifest) ? [record.name] : [])),
    fullName: (called) => registry.called(called)?.record.name,
    logging(name) {
      const plugin = registry.byName(name);
      return plugin && sandboxes.logging(plugin);
    },
    place(name, path) {
      const plugin = registry.byName(name);
      return plugin && sandboxes.place(plugin, path);
    },
    async close() {
      closing.abort();
      if (deps.config.liveRestore) sandboxes.leaveRunning();
      else {
        await sandboxes.leaveNetworks();
        const runtimes = registry.all().filter(({ manifest }) => isRuntime(manifest));
        await Promise.all(runtimes.map((plugin) => sandboxes.endRuntime(plugin)));
      }
    },
  };
}

async function* lazily(open: () => Promise<AsyncIterable<Progress>>): AsyncGenerator<Progress, void, void> {
  yield* await open();
}
