import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PluginProcess } from './plugin-process.js';

const program = fileURLToPath(new URL('./noop-hook.js', import.meta.url));
const names = ['hook-1', 'hook-2', 'hook-3'];

/** Three request hooks that change nothing, each a process of its own. */
export class HookChain {
  readonly #directory: string;
  readonly #hooks: readonly PluginProcess[];

  /** @param directory of its own */
  constructor(directory: string) {
    this.#directory = directory;
    this.#hooks = names.map((name) => new PluginProcess([process.execPath, program], join(directory, `${name}.sock`)));
  }

  get flags(): string[] {
    return [`--plugin-dir=${this.#directory}`, `--hooks=${join(this.#directory, 'hooks.yaml')}`];
  }

  async start(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(join(this.#directory, 'hooks.yaml'), `hooks: [${names.map((name) => `{name: ${name}}`).join(', ')}]`);
    await Promise.all(this.#hooks.map((hook) => hook.start()));
  }

  async end(): Promise<void> {
    await Promise.all(this.#hooks.map((hook) => hook.end()));
  }
}
