import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from './engine.js';
import { Program } from './program.js';

const script = fileURLToPath(new URL('log-plugin.mjs', import.meta.url));

/** A log plugin as a process, which a test kills, stops and starts again on the same directory. */
export class LogPlugin implements AsyncDisposable {
  readonly name: string;
  readonly #engine: Engine;
  readonly #directory: string;
  readonly #flags: readonly string[];
  #program: Program | undefined;

  private constructor(engine: Engine, name: string, flags: readonly string[]) {
    this.#engine = engine;
    this.name = name;
    this.#flags = flags;
    this.#directory = join(engine.directory, `kept-by-${name}`);
  }

  static async start(engine: Engine, name: string, ...flags: string[]): Promise<LogPlugin> {
    const plugin = new LogPlugin(engine, name, flags);
    await mkdir(plugin.#directory, { recursive: true });
    await plugin.start();
    return plugin;
  }

  async start(): Promise<void> {
    const socket = join(this.#engine.pluginDirectory, `${this.name}.sock`);
    const flags = ['--socket', socket, '--directory', this.#directory, ...this.#flags];
    this.#program = new Program(process.execPath, [script, ...flags]);
    await this.#program.made(socket);
  }

  async kill(): Promise<void> {
    await this.#program?.end('SIGKILL');
  }

  /** It hangs until `resume`. */
  pause(): void {
    process.kill(this.#program?.pid ?? 0, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#program?.pid ?? 0, 'SIGCONT');
  }

  /** The lines that it kept of a container. */
  kept(id: string): string[] {
    const path = join(this.#directory, id);
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => line.replace(/^\S+ \d+ /, ''));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#program && !this.#program.ended) this.resume();
    await this.#program?.[Symbol.asyncDispose]();
  }
}
