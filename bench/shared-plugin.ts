import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../examples/no-remove/dist/main.js', import.meta.url));
/** Where every engine looks, also a stock one; the name is nobody else's. */
const directory = '/run/docker/plugins';

/** The driver that {@link SharedPlugin} serves. */
export const sharedDriver = `cleat-bench-${process.pid}`;

/** One volume plugin, the same process for all engines. */
export class SharedPlugin {
  readonly #socket = join(directory, `${sharedDriver}.sock`);
  #root: string | undefined;
  #process: ChildProcess | undefined;

  async start(): Promise<void> {
    if (this.#process) return;
    mkdirSync(directory, { recursive: true });
    this.#root = mkdtempSync(join(tmpdir(), `${sharedDriver}-`));
    this.#process = spawn(process.execPath, [program, '--socket', this.#socket, '--root', this.#root], {
      stdio: 'inherit',
    });
    const deadline = Date.now() + 10_000;
    while (!existsSync(this.#socket)) {
      if (Date.now() > deadline) throw new Error('the volume plugin does not start');
      await sleep(20);
    }
  }

  async end(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    if (this.#root !== undefined) rmSync(this.#root, { recursive: true, force: true });
  }
}
