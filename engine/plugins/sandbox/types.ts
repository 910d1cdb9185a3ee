import type { Helper } from '@cleat/linux/helper/helper';
import type { PluginManifest, PluginSettings } from '@cleat/protocol/api/plugin';
import type { Logger } from '@cleat/protocol/log';
import type { ContainersConfig } from '../../config.js';
import type { Runtimes } from '../../oci/runtimes.js';

/** A plugin as its sandbox needs it. */
export interface SandboxedPlugin {
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** As users see it. */
  readonly name: string;
  readonly manifest: PluginManifest;
  readonly settings: PluginSettings;
  /** Directories of its unpacked layers, the topmost first. */
  readonly layers: readonly string[];
}

/** The part of the engine's settings that concerns sandboxes. */
export type SandboxConfig = Pick<
  ContainersConfig,
  | 'dataRoot'
  | 'execRoot'
  | 'cgroupDriver'
  | 'cgroupParent'
  | 'defaultCgroupnsMode'
  | 'defaultRuntime'
  | 'seccompProfile'
>;

export interface SandboxDeps {
  readonly config: SandboxConfig;
  readonly log: Logger;
  readonly runtimes: Runtimes;
  readonly helper: Pick<Helper, 'call'>;
  readonly network: PrivateNetwork;
  /** Absent: the one in PATH. */
  readonly conmonPath?: string;
  /** The directories that the engine shows to plugins of some kinds. */
  readonly shares?: SandboxShares;
}

export interface SandboxShares {
  /** A directory in which the engine's own figures are served on `metrics.sock`. */
  readonly metrics?: string;
}

/** Networks of plugins that asked for one of their own; each goes out through the engine's default bridge. */
export interface PrivateNetwork {
  /**
   * @param directory for the files that tell it who it is
   * @throws when there is no such network here
   */
  attach(plugin: { id: string; name: string }, directory: string): Promise<PrivateAttachment>;
  /** After the engine's start, of one that runs. */
  adopt(id: string): Promise<void>;
  /** Nothing to do when it has none. */
  detach(id: string): Promise<void>;
}

export interface PrivateAttachment {
  /** A path of its network namespace. */
  readonly namespace: string;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
  /** Settles when its interfaces are there. */
  readonly ready: Promise<void>;
}
