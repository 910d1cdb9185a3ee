import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@cleat/linux/process/run';
import { systemError } from '@cleat/protocol/errors';
import { memoryOf } from './cgroup.js';
import { buildGo } from './go.js';
import { noRemove, PluginProcess } from './plugin-process.js';

/** One plugin written twice, with the titles of the table's columns. */
export const pluginTitles = { go: 'Go helpers', typescript: '@cleat/sdk' } as const;

export type PluginName = keyof typeof pluginTitles;

/** `path`: one question over and over; `life`: all that an engine asks from `docker run -v` to `docker volume rm`. */
export type Work = 'path' | 'life';

const cleat = fileURLToPath(new URL('../../bin/cleat', import.meta.url));
const seconds = 2;

/** A plugin that is called over its socket. */
export class BenchPlugin {
  readonly #process: PluginProcess;
  readonly #load: string;

  constructor(process: PluginProcess, load: string) {
    this.#process = process;
    this.#load = load;
  }

  /** @returns calls a second, each connection asking again as soon as it has its answer */
  async load(work: Work, connections: number): Promise<number> {
    const { code, stdout, stderr } = await run(
      this.#load,
      ['-socket', this.#process.socket, '-work', work, '-connections', `${connections}`, '-for', `${seconds}s`],
      { env: process.env },
    );
    if (code !== 0) throw systemError(`the plugin was not measured: ${stderr.trim()}`);
    return Number(stdout);
  }

  /** Bytes. */
  resident(): number {
    return memoryOf([this.#process.pid]).resident;
  }

  /** `cleat verify` with all its cases, also those that kill the plugin: one of its own, beside the one measured. */
  async verify(): Promise<void> {
    const socket = `${this.#process.socket}.verified`;
    const start = this.#process.command.map((word) => (word === this.#process.socket ? socket : word)).join(' ');
    const { code, stdout } = await run(cleat, ['verify', socket, '--start', start], {
      env: process.env,
    });
    rmSync(socket, { force: true });
    if (code !== 0) throw systemError(`cleat verify found fault with the plugin:\n${stdout}`);
  }
}

/** Starts each plugin when a row first needs it, and ends both. */
export class PluginPair implements AsyncDisposable {
  #directory: string | undefined;
  readonly #running = new Map<PluginName, BenchPlugin>();
  readonly #processes: PluginProcess[] = [];

  /** @throws Unavailable when the Go programs cannot be built */
  async get(name: PluginName): Promise<BenchPlugin> {
    const running = this.#running.get(name);
    if (running) return running;
    this.#directory ??= mkdtempSync(join(tmpdir(), 'cleat-bench-go-'));
    const load = await buildGo('load', this.#directory);
    const command = name === 'go' ? [await buildGo('go-plugin', this.#directory)] : noRemove;
    const process = new PluginProcess(command, join(this.#directory, `${name}.sock`));
    this.#processes.push(process);
    await process.start();
    const plugin = new BenchPlugin(process, load);
    this.#running.set(name, plugin);
    // The JIT compiles, the heap grows: the first calls are nobody's everyday.
    for (const work of ['path', 'life'] as const) await plugin.load(work, 8);
    return plugin;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.end()));
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }
}
