import type { Launcher } from '@cleat/extensions/supervisor/launcher';
import type { Plugin } from './registry.js';

/** What this room needs of the sandboxes that plugins run in. */
export interface Sandboxes {
  /** How a plugin is run. @param log hears its output, line by line */
  launcher(plugin: Plugin): SandboxLaunch;
  /** The last lines that a plugin has printed, for people. */
  lastOutput(plugin: Plugin): Promise<readonly string[]>;
  /** Where a path inside a plugin's propagated mount lies on this host; undefined for any other. */
  hostPath(plugin: Plugin, path: string): string | undefined;
  /** Removes what a plugin has here for good, its data included; it does not run. */
  erase(plugin: Plugin): Promise<void>;
}

export interface SandboxLaunch {
  readonly launcher: Launcher;
  /** Where it listens once it runs: a path of this host. */
  readonly socket: string;
}
