import type { Extensions } from '@cleat/extensions/service';
import type { Launched, Launcher } from '@cleat/extensions/supervisor/launcher';
import { reportLine } from '@cleat/extensions/supervisor/lines';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { removeTree } from '@cleat/linux/rootfs/remove';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { dataLoss, systemError } from '@cleat/protocol/errors';
import type { RuntimeConfig } from '../../config.js';
import type { ContainerId, PluginId } from '../../ids.js';
import type { Layers } from '../../layers/service.js';
import type { ExecTarget } from '../../oci/exec-target.js';
import type { Plugin } from '../registry.js';
import { SandboxLauncher } from '../sandbox/launcher.js';
import { placeOf } from '../sandbox/place-of.js';
import { PluginPlaces } from '../sandbox/places.js';
import { checkRuntime, mountRuntime, runtimeOf } from '../sandbox/runtime-plugin.js';
import { loggingInside } from '../sandbox/shares.js';
import { endStrangers, runningSandboxes, takeAway } from '../sandbox/strangers.js';
import type { SandboxDeps, SandboxedPlugin } from '../sandbox/types.js';
import type { PluginPlace, Sandboxes, SandboxLaunch } from '../sandboxes.js';
import { inTurn, launchesAtOnce } from './launches.js';

export interface HostSandboxesDeps extends SandboxDeps {
  readonly layers: Pick<Layers, 'get' | 'path'>;
  readonly extensions: Pick<Extensions, 'earlierLogger' | 'logger'>;
}

/** The sandboxes of this host. */
export class HostSandboxes implements Sandboxes {
  readonly #deps: HostSandboxesDeps;
  readonly #launchers = new Map<PluginId, SandboxLauncher>();
  readonly #launches = new Semaphore(launchesAtOnce());
  #leaving = false;

  constructor(deps: HostSandboxesDeps) {
    this.#deps = deps;
  }

  launcher(plugin: Plugin): SandboxLaunch {
    const { name } = plugin.record;
    const { extensions } = this.#deps;
    const launcher = new SandboxLauncher({
      deps: this.#deps,
      plugin: this.#sandboxed(plugin),
      log: extensions.logger(name),
      onEarlier: (lines) => {
        for (const { at, text } of lines) reportLine(extensions.earlierLogger(name, at), text);
      },
    });
    this.#launchers.set(plugin.id, launcher);
    return { launcher: this.#leavable(inTurn(launcher, this.#launches)), socket: launcher.socket };
  }

  async leaveNetworks(): Promise<void> {
    await Promise.all([...this.#launchers.values()].map((launcher) => launcher.leaveNetwork()));
  }

  leaveRunning(): void {
    this.#leaving = true;
  }

  async lastOutput({ id }: Plugin): Promise<readonly string[]> {
    return this.#launchers.get(id)?.lastLines() ?? [];
  }

  place({ id, record, manifest }: Plugin, path: string): PluginPlace {
    const places = new PluginPlaces(this.#deps.config, id);
    return placeOf(places, { manifest, settings: record.settings }, path);
  }

  beginRuntime(plugin: Plugin): void {
    const places = new PluginPlaces(this.#deps.config, plugin.id);
    const sandboxed = this.#sandboxed(plugin);
    mountRuntime(places, sandboxed);
    runtimeOf(places, sandboxed);
  }

  runtime(plugin: Plugin): RuntimeConfig {
    return runtimeOf(new PluginPlaces(this.#deps.config, plugin.id), this.#sandboxed(plugin));
  }

  async runtimeAnswers(plugin: Plugin): Promise<void> {
    await checkRuntime(this.runtime(plugin));
  }

  async endRuntime({ id }: Plugin): Promise<void> {
    await takeAway(this.#deps, id);
  }

  logging({ id, manifest }: Plugin): ReturnType<Sandboxes['logging']> {
    const { UID = 0, GID = 0 } = manifest.User;
    const { logging } = new PluginPlaces(this.#deps.config, id);
    return { directory: logging, inside: loggingInside, owner: { uid: UID, gid: GID } };
  }

  execTarget(id: string): ExecTarget | undefined {
    return this.#launchers.get(id as PluginId)?.execTarget();
  }

  active(): ContainerId[] {
    return [...new Set([...runningSandboxes(this.#deps), ...this.#launchers.keys()])] as ContainerId[];
  }

  async endStrangers(wanted: ReadonlySet<PluginId>): Promise<void> {
    await endStrangers(this.#deps, wanted);
  }

  async erase({ id }: Plugin): Promise<void> {
    const { directory } = new PluginPlaces(this.#deps.config, id);
    this.#launchers.delete(id);
    await takeAway(this.#deps, id);
    // A plugin mounts somebody's data, on another machine perhaps.
    const [mounted] = listMounts(directory);
    if (mounted) throw systemError(`${mounted.target} cannot be unmounted, and must not be removed with what is in it`);
    await removeTree(directory);
  }

  /** An engine that stops may leave it to the next one: then it is neither ended nor cleared away. */
  #leavable(launcher: Launcher): Launcher {
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
