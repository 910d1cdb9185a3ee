import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launched, Launcher } from '@cleat/extensions/supervisor/launcher';
import { reportLine } from '@cleat/extensions/supervisor/lines';
import { writeNoted } from '@cleat/extensions/supervisor/note';
import { createContainer } from '@cleat/linux/conmon/create';
import { isAlive, processIdentity } from '@cleat/linux/process/identity';
import { cancelled, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import type { Logger } from '@cleat/protocol/log';
import type { CgroupPlace } from '../../oci/cgroups.js';
import type { ExecTarget } from '../../oci/exec-target.js';
import { checkProcMounts } from '../../oci/proc-mounts.js';
import { placeOf } from './cgroup.js';
import { checkHost } from './check-host.js';
import { execTargetOf } from './exec-target.js';
import { networkFor } from './network.js';
import { type Note, readNote, runs } from './note.js';
import { type OutputLine, outputBytes, SandboxOutput } from './output.js';
import { PluginPlaces } from './places.js';
import { prepare } from './prepare.js';
import { releaseSandbox } from './release.js';
import { phraseOf, stopRunning, watchMonitor } from './running.js';
import { ownMounts } from './shares.js';
import { specFor } from './spec.js';
import type { SandboxDeps, SandboxedPlugin } from './types.js';

export interface SandboxLauncherOptions {
  readonly deps: SandboxDeps;
  readonly plugin: SandboxedPlugin;
  /** Hears what the plugin prints. */
  readonly log: Logger;
  /** Hears what it printed before this engine started. */
  onEarlier?(lines: readonly OutputLine[]): void;
}

const graceMs = 5_000;

/**
 * Runs a managed plugin in a sandbox: its own root file system and namespaces, by an OCI runtime under conmon, as
 * containers are. It outlives the engine; the next one finds it again.
 */
export class SandboxLauncher implements Launcher {
  readonly places: PluginPlaces;
  /** Where it listens once it runs. */
  readonly socket: string;
  readonly #options: SandboxLauncherOptions;
  readonly #fingerprint: string;
  readonly #cgroup: CgroupPlace;
  #output: SandboxOutput | undefined;
  #current: { note: Note; ended: AbortController; execIds: Set<string>; close(): void } | undefined;
  #releasing: Promise<void> = Promise.resolve();
  #shut = false;

  /** @throws InvalidParameter for a socket that cannot be */
  constructor(options: SandboxLauncherOptions) {
    const { deps, plugin } = options;
    this.#options = options;
    this.places = new PluginPlaces(deps.config, plugin.id);
    this.socket = this.places.socket(plugin.manifest.Interface.Socket);
    this.#cgroup = placeOf(deps.config, plugin.id);
    const facts = [plugin.manifest, plugin.settings, plugin.layers, deps.config.defaultRuntime];
    this.#fingerprint = createHash('sha256').update(stringify(facts)).digest('hex');
  }

  async launch(signal: AbortSignal): Promise<Launched> {
    if (this.#shut) throw cancelled('the engine stops');
    await this.#releasing;
    await this.#release(false);
    try {
      return await this.#launch(signal);
    } catch (error) {
      await this.#release(false);
      throw error;
    }
  }

  async adopt(): Promise<Launched | undefined> {
    const note = readNote(this.places.note);
    if (!note) return undefined;
    if (!runs(note) || note.fingerprint !== this.#fingerprint) {
      if (isAlive(note.init)) await this.#stop(note, watchMonitor(note).ended, graceMs);
      await this.#release(false);
      return undefined;
    }
    this.#listen();
    await this.#options.deps.network.adopt(this.places.id);
    const watch = watchMonitor(note);
    return this.#running(note, watch.ended, () => watch.close());
  }

  /** Its last output, for the one who has to tell that it does not work. */
  lastLines(): readonly string[] {
    return this.#output?.lastLines() ?? [];
  }

  /** For a further process in it, as a shell; undefined while it does not run. */
  execTarget(): ExecTarget | undefined {
    const { deps, plugin } = this.#options;
    const current = this.#current;
    if (!this.note || !current) return undefined;
    return execTargetOf(deps, plugin, this.places, { ...current, cgroup: this.#cgroup.path });
  }

  /** The plugin's first process; undefined while it does not run. */
  get note(): Note | undefined {
    const { note } = this.#current ?? {};
    return note && isAlive(note.init) ? note : undefined;
  }

  /** For an engine that stops: one with a network of its own has to end before the networks do. */
  async leaveNetwork(): Promise<void> {
    if (this.#options.plugin.manifest.Network.Type !== 'bridge') return;
    this.#shut = true;
    const { note } = this.#current ?? {};
    if (note) await this.#stop(note, watchMonitor(note).ended, graceMs);
    await this.close();
  }

  async close(): Promise<void> {
    await this.#releasing;
    this.#current?.close();
    this.#current = undefined;
    this.#output?.close();
    this.#output = undefined;
    await this.#release(true);
  }

  async #launch(signal: AbortSignal): Promise<Launched> {
    const { deps, plugin } = this.#options;
    const { config, runtimes, helper } = deps;
    const { places } = this;
    const missing = await checkHost(helper, plugin.manifest, plugin.settings);
    if (missing.length > 0) throw invalidParameter(missing.join('; '));
    wanted(signal);
    prepare(places, plugin);
    const network = await networkFor(deps.network, plugin, places.network);
    const spec = specFor({
      plugin,
      config,
      rootfs: places.rootfs,
      propagated: places.propagated,
      network: network.namespace,
      own: [...ownMounts(places, plugin, deps.shares), ...network.files],
      cgroupsPath: this.#cgroup.specified,
    });
    const runtime = config.defaultRuntime;
    checkProcMounts(spec.mounts, runtime, places.rootfs);
    writeFileSync(join(places.bundle, 'config.json'), stringify(spec), { mode: 0o600 });
    this.#listen();
    // Beside each other, and both have ended when this fails.
    const [created, ready] = await Promise.allSettled([
      createContainer({
        conmonPath: deps.conmonPath ?? 'conmon',
        id: places.id,
        bundle: places.bundle,
        ...runtimes.command(runtime, 'create'),
        command: spec.process.args[0],
        exitDir: places.exits,
        pidFile: places.pidFile,
        conmonPidFile: places.conmonPidFile,
        persistDir: places.bundle,
        logPath: places.output,
        logSizeMax: outputBytes,
        terminal: false,
        stdin: false,
        leaveStdinOpen: false,
        signal,
      }),
      network.ready,
    ]);
    if (created.status === 'rejected') throw created.reason;
    if (ready.status === 'rejected') throw ready.reason;
    const { pid, conmonPid, ended } = created.value;
    const [init, conmon] = [processIdentity(pid), processIdentity(conmonPid)];
    if (!init || !conmon) throw systemError('the plugin ended before it was started');
    const note: Note = { init, conmon, fingerprint: this.#fingerprint, runtime, cgroup: this.#cgroup.path };
    writeNoted(places.note, note);
    wanted(signal);
    await runtimes.get(runtime).start(places.id, { signal });
    return this.#running(note, ended, () => {});
  }

  #running(note: Note, monitorEnded: Promise<void>, close: () => void): Launched {
    const current = { note, close, ended: new AbortController(), execIds: new Set<string>() };
    this.#current = current;
    const ended = monitorEnded.then(() => {
      current.ended.abort();
      const how = this.#lastWords();
      if (this.#current === current) this.#current = undefined;
      // The next launch waits for it; who only wants to know that it has ended does not.
      this.#releasing = this.#release(false);
      return how;
    });
    return {
      pid: note.init.pid,
      ended,
      stop: async (ms) => {
        await this.#stop(note, ended, ms);
        await this.#releasing;
      },
    };
  }

  /** How it ended. Files that cannot be read now must not keep its end from being told, or it would not start again. */
  #lastWords(): string {
    try {
      this.#output?.ended();
      return phraseOf(this.places);
    } catch (error) {
      return `it ended, and nobody could read how: ${messageOf(error)}`;
    }
  }

  async #stop(note: Note, ended: Promise<unknown>, ms: number): Promise<void> {
    const { deps, log } = this.#options;
    const { id } = this.places;
    await stopRunning({ runtime: deps.runtimes.get(note.runtime), id, ended, log }, ms);
  }

  #listen(): void {
    const { log, onEarlier } = this.#options;
    this.#output ??= new SandboxOutput(this.places.output, log, {
      onLine: ({ text }) => reportLine(log, text),
      onEarlier,
    });
  }

  #release(forGood: boolean): Promise<void> {
    const { deps } = this.#options;
    return releaseSandbox(deps, {
      places: this.places,
      runtime: deps.config.defaultRuntime,
      cgroup: this.#cgroup.path,
      forGood,
    });
  }
}

function wanted(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled('the start was stopped: the plugin is not wanted any longer');
}
