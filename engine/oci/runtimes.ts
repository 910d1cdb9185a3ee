import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isCrun } from '@cleat/linux/runtime/crun';
import { hiddenFrom, type LaunchFor } from '@cleat/linux/runtime/launcher';
import { OciRuntime, type RuntimeCommand } from '@cleat/linux/runtime/runtime';
import { invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import type { RuntimeConfig, RuntimesConfig } from '../config.js';

/**
 * A runtime that came as a plugin, by what a user calls it, with its full name; undefined when there is none.
 * @throws Unavailable while it cannot be used
 */
export type RuntimePlugins = (called: string) => { name: string; runtime: RuntimeConfig } | undefined;

/** The OCI runtimes that the operator configured, by name, and those that came as plugins. */
export class Runtimes {
  readonly #config: RuntimesConfig;
  readonly #rootOf: (name: string) => string;
  readonly #plugin: RuntimePlugins;
  readonly #open = new Map<string, { config: RuntimeConfig; runtime: OciRuntime }>();
  readonly #binaries = new Map<string, string>();
  readonly #mountOptions = new Map<string, Promise<readonly unknown[]>>();

  /** @param rootOf where a runtime keeps what it knows of those that it runs for this room, by its name */
  constructor(config: RuntimesConfig, rootOf: (name: string) => string, plugin: RuntimePlugins = () => undefined) {
    this.#config = config;
    this.#rootOf = rootOf;
    this.#plugin = plugin;
  }

  /**
   * The name to store for what a user asked for: `default` means the default one, unless the operator gave a runtime
   * this name.
   * @param binds directories of the host that the container is to see
   * @throws InvalidParameter `unknown or invalid runtime name: X`
   */
  resolve(requested: string | undefined, binds: readonly string[] = []): string {
    const { runtimes, defaultRuntime } = this.#config;
    const isDefault = !requested || (requested === 'default' && !Object.hasOwn(runtimes, requested));
    const name = isDefault ? this.#seeing(binds, defaultRuntime) : requested;
    if (Object.hasOwn(this.#config.runtimes, name)) return name;
    const plugin = this.#plugin(name);
    if (!plugin) throw invalidParameter(`unknown or invalid runtime name: ${name}`);
    return plugin.name;
  }

  /**
   * crun may have to be started where something covers a directory of the host's; a container that must see that
   * directory gets runc.
   */
  #seeing(binds: readonly string[], name: string): string {
    const hidden = hiddenFrom(this.#config.runtimes[name]?.path ?? '');
    if (hidden === undefined || this.missing('runc') !== undefined) return name;
    const within = (path: string, directory: string): boolean =>
      `${path}/`.startsWith(directory === '/' ? '/' : `${directory}/`);
    return binds.some((bind) => within(hidden, bind) || within(bind, hidden)) ? 'runc' : name;
  }

  /** Why a runtime that is configured cannot be used at present; undefined when its binary is there. */
  missing(name: string): string | undefined {
    try {
      if (!Object.hasOwn(this.#config.runtimes, name) && !this.#plugin(name)) return undefined;
      const path = this.binary(name);
      return isExecutable(path) ? undefined : `there is no program ${path}`;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** The binary as an absolute path, which conmon wants. @throws Unavailable when PATH has none */
  binary(name: string): string {
    const { path } = this.get(name);
    if (path.startsWith('/')) return path;
    const known = this.#binaries.get(path);
    if (known) return known;
    for (const directory of (process.env.PATH ?? '').split(':')) {
      const candidate = join(directory, path);
      if (!isExecutable(candidate)) continue;
      this.#binaries.set(path, candidate);
      return candidate;
    }
    throw unavailable(`the runtime ${name} is not installed: ${path} is not in PATH`);
  }

  /** How conmon is to call it. @throws Unavailable when it is not installed */
  command(name: string, use: LaunchFor): RuntimeCommand {
    return this.get(name).command(use, this.binary(name));
  }

  /** Whether a bind mount gets exactly the flags that the runtime is told, and not those of its source as well. */
  resetsFlags(name: string): boolean {
    return isCrun(this.get(name).path);
  }

  /** Whether the runtime says (by its `features`) that it knows a mount option; asked once. */
  knowsMountOption(name: string, option: string): Promise<boolean> {
    let options = this.#mountOptions.get(name);
    if (!options) {
      options = mountOptions(this.get(name));
      this.#mountOptions.set(name, options);
    }
    return options.then((known) => known.includes(option));
  }

  /** @throws InvalidParameter when it is not, or no longer, configured */
  get(name: string): OciRuntime {
    const resolved = this.resolve(name);
    const config = this.#config.runtimes[resolved] ?? this.#plugin(resolved)?.runtime;
    if (!config) throw invalidParameter(`unknown or invalid runtime name: ${name}`);
    const known = this.#open.get(name);
    // A plugin may be another one after an upgrade, or have other settings.
    if (known && isDeepStrictEqual(known.config, config)) return known.runtime;
    const runtime = new OciRuntime({
      name,
      path: config.path,
      args: [...(config.runtimeArgs ?? []), ...(this.#config.cgroupDriver === 'systemd' ? ['--systemd-cgroup'] : [])],
      root: this.#rootOf(name),
    });
    this.#open.set(name, { config, runtime });
    return runtime;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not for us: the next directory may have it.
    return false;
  }
}

/** Runtimes that do not answer are taken to know only what all know, and crun what it knew before it had `features`. */
async function mountOptions(runtime: OciRuntime): Promise<readonly unknown[]> {
  const unasked = isCrun(runtime.path) ? ['rro'] : [];
  try {
    const options = (await runtime.features())?.mountOptions;
    return Array.isArray(options) ? options : unasked;
  } catch {
    // A runtime without `features`, or one whose answer is no JSON.
    return unasked;
  }
}
