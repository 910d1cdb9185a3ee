import { rmSync, writeFileSync } from 'node:fs';
import { systemError } from '@cleat/protocol/errors';
import { hostHierarchy } from '../cgroup/hierarchy.js';
import { commandPath } from '../host.js';
import { type RunResult, run } from '../process/run.js';
import { CompiledFilters } from './compiled-filters.js';
import { crunResources, isCrun, type RuntimeResources } from './crun.js';
import { runtimeError } from './errors.js';
import { type LaunchFor, launcherOf } from './launcher.js';
import { sealedProgram } from './sealed.js';

export interface RuntimeOptions {
  /** The name users know it by (`runc`, `custom`). */
  name: string;
  /** The binary: a path, or a name found in PATH. Any that has runc's command line. */
  path: string;
  /** Arguments before the subcommand, from the operator's configuration. */
  args?: readonly string[];
  /** The runtime's state directory; one per engine and runtime. */
  root: string;
  /** Milliseconds for each call. Default 30,000. */
  deadlineMs?: number;
}

export interface CallOptions {
  deadlineMs?: number;
  signal?: AbortSignal;
}

/** How to start a runtime. */
export interface RuntimeCommand {
  runtimePath: string;
  /** Everything before the subcommand. */
  runtimeArgs: string[];
  logFormat: 'json' | 'text';
}

/** The answer of `state` (OCI runtime specification, runtime.md). */
export interface RuntimeState {
  id: string;
  status: 'creating' | 'created' | 'running' | 'paused' | 'stopped' | (string & {});
  /** 0 when stopped. */
  pid: number;
  bundle: string;
}

/** An OCI runtime, driven by its command line. Creating and exec go through linux/conmon. */
export class OciRuntime {
  readonly name: string;
  readonly path: string;
  /** For a runtime that takes filters that it has compiled before. */
  readonly filters: CompiledFilters | undefined;
  readonly #root: string;
  readonly #globalArgs: readonly string[];
  readonly #deadlineMs: number;

  constructor(options: RuntimeOptions) {
    this.name = options.name;
    this.path = options.path;
    this.filters = isCrun(options.path) ? new CompiledFilters(options.root) : undefined;
    this.#root = options.root;
    this.#globalArgs = [...(options.args ?? []), '--root', options.root];
    this.#deadlineMs = options.deadlineMs ?? 30_000;
  }

  /** The program to start, and everything before the subcommand: for conmon, which wants the absolute path. */
  command(use: LaunchFor, path = commandPath(this.path) ?? this.path): RuntimeCommand {
    const program = isCrun(path) ? sealedProgram(path) : path;
    const [runtimePath = path, ...before] = launcherOf(path, use).with(-1, program);
    // crun also writes to the container's stderr when its command cannot be executed: not as JSON.
    const logFormat = isCrun(path) ? 'text' : 'json';
    return { runtimePath, runtimeArgs: [...before, ...this.#globalArgs], logFormat };
  }

  /** Lets a created container's process run. */
  async start(id: string, options?: CallOptions): Promise<void> {
    await this.#call('start', [id], options);
  }

  /**
   * Sends a signal to the container's first process, or with `all` to each process in it.
   * @throws CleatError Conflict (`details.reason` `not-running`) when it does not run, NotFound
   */
  async kill(id: string, signal: number | string, options: CallOptions & { all?: boolean } = {}): Promise<void> {
    await this.#call('kill', [...(options.all ? ['--all'] : []), id, String(signal)], options);
  }

  /** Removes what the runtime keeps; with `force` also kills. A container that is gone already is success. */
  async delete(id: string, options: CallOptions & { force?: boolean } = {}): Promise<void> {
    const result = await this.#run('delete', [...(options.force ? ['--force'] : []), id], options);
    if (result.code === 0) return;
    const error = runtimeError('delete', result.stderr || result.stdout);
    if (error.class !== 'NotFound') throw error;
  }

  async pause(id: string, options?: CallOptions): Promise<void> {
    await this.#call('pause', [id], options);
  }

  async resume(id: string, options?: CallOptions): Promise<void> {
    await this.#call('resume', [id], options);
  }

  /** @throws CleatError NotFound */
  async state(id: string, options?: CallOptions): Promise<RuntimeState> {
    const state = this.#parse(await this.#call('state', [id], options), 'state');
    return {
      id,
      status: String(state.status ?? ''),
      pid: typeof state.pid === 'number' ? state.pid : 0,
      bundle: String(state.bundle ?? ''),
    };
  }

  /** Process numbers (of the host) in the container. */
  async ps(id: string, options?: CallOptions): Promise<number[]> {
    const pids: unknown = JSON.parse((await this.#call('ps', ['--format', 'json', id], options)) || '[]');
    return Array.isArray(pids) ? pids.filter((pid) => typeof pid === 'number') : [];
  }

  /**
   * Changes limits of a running container.
   * @param resources `linux.resources` of the OCI runtime specification
   * @param cgroup the container's (`linux.cgroupsPath`)
   */
  async update(id: string, resources: RuntimeResources, cgroup: string, options?: CallOptions): Promise<void> {
    const { controllers, version } = hostHierarchy();
    const own = isCrun(this.path) && version === 1 ? crunResources(resources) : { resources, lift: [] };
    // A file, because crun opens its stdin anew, which a socket does not allow.
    const file = `${this.#root}.${id}.resources`;
    writeFileSync(file, JSON.stringify(own.resources), { mode: 0o600 });
    try {
      await this.#call('update', ['--resources', file, id], options);
    } finally {
      rmSync(file, { force: true });
    }
    for (const { controller, file, value } of own.lift) {
      writeFileSync(`${controllers.get(controller) ?? ''}${cgroup}/${file}`, value, { flag: 'r+' });
    }
  }

  /** The answer of `features`; undefined for a runtime that does not know the subcommand. */
  async features(options?: CallOptions): Promise<Record<string, unknown> | undefined> {
    const result = await this.#run('features', [], options);
    return result.code === 0 ? this.#parse(result.stdout, 'features') : undefined;
  }

  /** The output of `--version`: the version alone when it can be told, and the whole text. */
  async version(options?: CallOptions): Promise<{ version: string; text: string }> {
    const result = await run(this.path, ['--version'], { deadlineMs: this.#deadlineMs, ...options });
    if (result.code !== 0) throw runtimeError('version', result.stderr);
    const text = result.stdout.trim();
    return { version: /(\d+\.\d+\S*)/.exec(text)?.[1] ?? '', text };
  }

  async #call(action: string, args: readonly string[], options?: CallOptions): Promise<string> {
    const result = await this.#run(action, args, options);
    if (result.code !== 0) throw runtimeError(action, result.stderr || result.stdout);
    return result.stdout;
  }

  #run(action: string, args: readonly string[], options: CallOptions = {}): Promise<RunResult> {
    const { deadlineMs = this.#deadlineMs, signal } = options;
    const signals = action === 'start' || (action === 'kill' && !args.includes('--all'));
    const { runtimePath, runtimeArgs } = this.command(signals ? 'signal' : 'other');
    return run(runtimePath, [...runtimeArgs, action, ...args], { deadlineMs, signal });
  }

  #parse(text: string, action: string): Record<string, unknown> {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return { ...value };
    throw systemError(`runtime ${this.name} answered ${action} with something that is no object`);
  }
}
