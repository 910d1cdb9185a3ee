import { posix } from 'node:path';
import type { Extensions } from '@cleat/extensions/service';
import type { Launched, Launcher } from '@cleat/extensions/supervisor/launcher';
import { unmountAll } from '@cleat/linux/mount/mount';
import { removeTree } from '@cleat/linux/rootfs/remove';
import { dataLoss } from '@cleat/protocol/errors';
import type { PluginId } from '../../ids.js';
import type { Layers } from '../../layers/service.js';
import type { Plugin } from '../registry.js';
import { SandboxLauncher } from '../sandbox/launcher.js';
import { PluginPlaces } from '../sandbox/places.js';
import type { SandboxDeps, SandboxedPlugin } from '../sandbox/types.js';
import type { Sandboxes, SandboxLaunch } from '../sandboxes.js';

export interface HostSandboxesDeps extends SandboxDeps {
  readonly layers: Pick<Layers, 'get' | 'path'>;
  readonly extensions: Pick<Extensions, 'logger'>;
}

/** The sandboxes of this host. */
export class HostSandboxes implements Sandboxes {
  readonly #deps: HostSandboxesDeps;
  readonly #launchers = new Map<PluginId, SandboxLauncher>();
  #leaving = false;

  constructor(deps: HostSandboxesDeps) {
    this.#deps = deps;
  }

  launcher(plugin: Plugin): SandboxLaunch {
    const log = this.#deps.extensions.logger(plugin.record.name);
    const launcher = new SandboxLauncher({ deps: this.#deps, plugin: this.#sandboxed(plugin), log });
    this.#launchers.set(plugin.id, launcher);
    return { launcher: this.#leavable(launcher), socket: launcher.socket };
  }

  leaveRunning(): void {
    this.#leaving = true;
  }

  async lastOutput({ id }: Plugin): Promise<readonly string[]> {
    return this.#launchers.get(id)?.lastLines() ?? [];
  }

  place({ id, manifest }: Plugin, path: string): { root: string; within: string } {
    const { propagated, rootfs } = new PluginPlaces(this.#deps.config, id);
    const { PropagatedMount } = manifest;
    const within = PropagatedMount === '' ? undefined : beneath(PropagatedMount, path);
    return within === undefined
      ? { root: rootfs, within: `.${posix.normalize(`/${path}`)}` }
      : { root: propagated, within };
  }

  async erase({ id }: Plugin): Promise<void> {
    const { directory } = new PluginPlaces(this.#deps.config, id);
    this.#launchers.delete(id);
    unmountAll(directory);
    await removeTree(directory);
  }

  /** A plugin that an engine leaves to the next one is not ended, nor cleared away. */
  #leavable(launcher: SandboxLauncher): Launcher {
    const left = (launched: Launched): Launched => ({
      pid: launched.pid,
      ended: launched.ended,
      stop: async (graceMs) => {
        if (!this.#leaving) await launched.stop(graceMs);
      },
    });
    return {
      launch: async (signal) => left(await launcher.launch(signal)),
      adopt: async () => {
        const found = await launcher.adopt();
        return found && left(found);
      },
      close: async () => {
        if (!this.#leaving) await launcher.close();
      },
    };
  }

  #sandboxed({ id, record, manifest }: Plugin): SandboxedPlugin {
    const layers = record.package.layers.map(({ diffId }) => {
      const layer = this.#deps.layers.get(diffId);
      if (!layer) throw dataLoss(`the layer ${diffId} is gone: install the plugin ${record.name} again`);
      return this.#deps.layers.path(layer);
    });
    return { id, name: record.name, manifest, settings: record.settings, layers: layers.reverse() };
  }
}

/** The rest of a path below a directory; undefined when it is not there. */
function beneath(directory: string, path: string): string | undefined {
  const relative = posix.relative(posix.normalize(directory), posix.normalize(path));
  if (relative === '..' || relative.startsWith('../') || relative.startsWith('/')) return undefined;
  return relative === '' ? '.' : relative;
}
