import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The example no-remove, which takes `--socket` and `--root`. */
export const noRemove: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL('../../examples/no-remove/dist/main.js', import.meta.url)),
];

/** A volume plugin under measurement: a process, and a directory for its volumes. */
export class PluginProcess {
  readonly #command: readonly string[];
  readonly socket: string;
  #root: string | undefined;
  #process: ChildProcess | undefined;

  /** @param command to which `--socket` and `--root` are added */
  constructor(command: readonly string[], socket: string) {
    this.#command = command;
    this.socket = socket;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get command(): readonly string[] {
    return [...this.#command, '--socket', this.socket, '--root', this.#root ?? ''];
  }

  async start(): Promise<void> {
    if (this.#process) return;
    mkdirSync(dirname(this.socket), { recursive: true });
    this.#root = mkdtempSync(join(tmpdir(), `cleat-bench-${process.pid}-`));
    const [program = '', ...args] = this.command;
    this.#process = spawn(program, args, { stdio: 'inherit' });
    const deadline = Date.now() + 10_000;
    while (!existsSync(this.socket)) {
      if (Date.now() > deadline) throw new Error('the volume plugin does not start');
      await sleep(20);
    }
  }

  async end(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    // Helpers in other languages leave it behind.
    rmSync(this.socket, { force: true });
    if (this.#root !== undefined) rmSync(this.#root, { recursive: true, force: true });
  }
}
