import type { Readable } from 'node:stream';
import type { Progress, RegistryAuth } from '@cleat/protocol/api/image';
import type { PluginPrivilege, PluginResource } from '@cleat/protocol/api/plugin';
import type { RuntimeConfig } from '../config.js';
import type { Filters } from '../events/service.js';
import type { ContainerId } from '../ids.js';
import type { ExecTarget } from '../oci/exec-target.js';
import type { Sandboxes } from './sandboxes.js';

/**
 * The API's half of managed plugins: packaged, granted, sandboxed, supervised. A plugin is called by its name, with or
 * without `:latest`, by its ID, or by the beginning of that.
 *
 * Errors read as Docker's: NotFound `plugin "X" not found`, Conflict `plugin X is in use`, `plugin X is enabled`,
 * `plugin X already exists`.
 */
export interface Plugins {
  /** @throws InvalidParameter for a filter other than `enabled` and `capability` */
  list(filters: Filters): PluginResource[];
  inspect(name: string): PluginResource;
  /**
   * The privileges that a plugin of a registry asks for.
   * @param options.name where there is a plugin of that name: only what its upgrade would newly ask for
   */
  privileges(remote: string, options: PrivilegesOptions): Promise<PluginPrivilege[]>;
  /** The name that a plugin gets, for the answer's head. @throws InvalidParameter */
  nameFor(remote: string, name: string): string;
  /** Progress lines as Docker's; a failure after the first line is a last line with `error`. */
  pull(options: PullPluginOptions): AsyncIterable<Progress>;
  upgrade(options: PullPluginOptions): AsyncIterable<Progress>;
  push(name: string, options: { auth?: RegistryAuth | undefined; signal: AbortSignal }): AsyncIterable<Progress>;
  /** @param archive a tar of `config.json` and `rootfs/`, compressed or not */
  create(name: string, archive: Readable, signal: AbortSignal): Promise<void>;
  /** The same archive of a plugin that is here. */
  save(name: string, format: 'docker' | 'oci'): Promise<Readable>;
  /** @param timeoutSeconds how long it has to answer; 0: as long as is usual */
  enable(name: string, timeoutSeconds: number): Promise<void>;
  /** With `force` also while it is used: those who lose something are named in the log and in the event. */
  disable(name: string, options: { force: boolean }): Promise<void>;
  set(name: string, settings: readonly string[]): Promise<void>;
  remove(name: string, options: { force: boolean }): Promise<void>;
}

export interface PrivilegesOptions {
  auth?: RegistryAuth | undefined;
  name?: string | undefined;
  signal: AbortSignal;
}

export interface PullPluginOptions {
  remote: string;
  /** The plugin's name here; empty: that of `remote`. */
  name: string;
  auth?: RegistryAuth | undefined;
  /** The privileges that the user has granted. */
  privileges: readonly PluginPrivilege[];
  signal: AbortSignal;
}

/** The half of other rooms, and of the engine's start and stop. */
export interface PluginHost {
  /**
   * Starts those that are enabled, or finds them running. Waits for none of them, but only for what is left of others that
   * were not to run.
   */
  start(): Promise<void>;
  /** Settles when each of those has answered, or was waited for as long as is usual. */
  settled(): Promise<void>;
  /** Those that run or are being started, as networks know them. */
  active(): ContainerId[];
  /**
   * The OCI runtime that a plugin brings; undefined when there is no such plugin.
   * @throws Unavailable while it is disabled
   */
  runtime(called: string): { name: string; runtime: RuntimeConfig } | undefined;
  /** For a further process in the plugin of that ID; undefined when none runs. */
  execTarget(id: string): ExecTarget | undefined;
  /** Names of those that can be used. */
  runtimes(): string[];
  /** The full name of the plugin that is called so; undefined when there is none. */
  fullName(name: string): string | undefined;
  /**
   * Where the plugin of that full name finds what it is to log: a directory of this host, and as it sees it. Undefined:
   * there is no such plugin.
   */
  logging(name: string): ReturnType<Sandboxes['logging']> | undefined;
  /**
   * Where a path that the plugin of that full name speaks of lies on this host: a directory of the engine's, and the path in
   * it, which may lead anywhere. Undefined: there is no such plugin.
   */
  place(name: string, path: string): { readonly root: string; readonly within: string } | undefined;
  /** The engine stops. Afterwards the registry of extensions ends the plugins, unless they are to outlive the engine. */
  close(): Promise<void>;
}

/** Somebody who needs a plugin to be there. */
export interface PluginUse {
  /** For people: `volume data`, `network web`, `the logs of container web`. */
  readonly what: string;
  /** Names of the containers that run now and would lose it. */
  readonly containers: readonly string[];
}
