import { OciRuntime } from '@cleat/linux/runtime/runtime';
import { invalidParameter } from '@cleat/protocol/errors';
import type { EngineConfig } from '../config.js';
import type { ContainerPaths } from './paths.js';

/** The OCI runtimes that the operator configured, by name. */
export class Runtimes {
  readonly #config: Pick<EngineConfig, 'runtimes' | 'defaultRuntime'>;
  readonly #paths: ContainerPaths;
  readonly #open = new Map<string, OciRuntime>();

  constructor(config: Pick<EngineConfig, 'runtimes' | 'defaultRuntime'>, paths: ContainerPaths) {
    this.#config = config;
    this.#paths = paths;
  }

  /** The name to store for what a user asked for. @throws InvalidParameter `unknown or invalid runtime name: X` */
  resolve(wished: string | undefined): string {
    const name = wished || this.#config.defaultRuntime;
    if (!Object.hasOwn(this.#config.runtimes, name)) throw invalidParameter(`unknown or invalid runtime name: ${name}`);
    return name;
  }

  /** @throws InvalidParameter when it is not configured (any more) */
  get(name: string): OciRuntime {
    const known = this.#open.get(name);
    if (known) return known;
    const config = this.#config.runtimes[this.resolve(name)];
    if (!config) throw invalidParameter(`unknown or invalid runtime name: ${name}`);
    const runtime = new OciRuntime({
      name,
      path: config.path,
      args: config.runtimeArgs,
      root: this.#paths.runtimeRoot(name),
    });
    this.#open.set(name, runtime);
    return runtime;
  }
}
