import type { Launcher } from '@cleat/extensions/supervisor/launcher';
import type { RuntimeConfig } from '../config.js';
import type { ContainerId, PluginId } from '../ids.js';
import type { ExecTarget } from '../oci/exec-target.js';
import type { Plugin } from './registry.js';

/** This room's view of the sandboxes that plugins run in. */
export interface Sandboxes {
  /** How a plugin is run. @param log hears its output, line by line */
  launcher(plugin: Plugin): SandboxLaunch;
  /** Where a log driver that runs finds what it is to read: on this host, and as it sees it. */
  logging(plugin: Plugin): {
    readonly directory: string;
    readonly inside: string;
    readonly owner: { uid: number; gid: number };
  };
  /** The last lines that a plugin has printed, for people. */
  lastOutput(plugin: Plugin): Promise<readonly string[]>;
  /**
   * Where a path that a plugin speaks of lies on this host: a directory of the engine's, and the path in it, which only the
   * plugin knows. What it mounts below its propagated mount is seen there.
   */
  place(plugin: Plugin, path: string): PluginPlace;
  /**
   * A plugin that is an OCI runtime is not run, but mounted.
   * @throws InvalidParameter when it has no such program
   */
  beginRuntime(plugin: Plugin): void;
  /** How it is run for containers. @throws InvalidParameter */
  runtime(plugin: Plugin): RuntimeConfig;
  /** @throws Unavailable with what it said */
  runtimeAnswers(plugin: Plugin): Promise<void>;
  endRuntime(plugin: Plugin): Promise<void>;
  /** For a further process in a plugin that runs. */
  execTarget(id: string): ExecTarget | undefined;
  /** Those that run, also of an engine before this one, and those that are being started; as networks know them. */
  active(): ContainerId[];
  /** Ends what an engine that was killed left of plugins that are not to run. @param wanted are not touched */
  endStrangers(wanted: ReadonlySet<PluginId>): Promise<void>;
  /** Ends those that have networks of their own: the engine stops, and its networks do. */
  leaveNetworks(): Promise<void>;
  /** From now on none is ended: the engine stops, and the next one finds them. */
  leaveRunning(): void;
  /** Removes what a plugin has here for good, its data included; it does not run. */
  erase(plugin: Plugin): Promise<void>;
}

export interface PluginPlace {
  readonly root: string;
  readonly within: string;
}

export interface SandboxLaunch {
  readonly launcher: Launcher;
  /** Where it listens once it runs: a path of this host. */
  readonly socket: string;
}
