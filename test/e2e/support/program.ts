import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program that runs beside a test, and ends with it. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  #said = '';

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#said += chunk;
      });
    }
  }

  get said(): string {
    return this.#said;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits for a file, usually a socket, that the program makes. */
  async made(path: string): Promise<void> {
    for (let attempt = 0; attempt < 1200; attempt++) {
      if (await isThere(path)) return;
      if (this.#child.exitCode !== null) break;
      await sleep(50);
    }
    throw new Error(`${path} did not come; the program said: ${this.#said}`);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill(signal);
      await ended;
    }
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const forced = setTimeout(() => this.#child.kill('SIGKILL'), 60_000);
    await this.end('SIGTERM');
    clearTimeout(forced);
  }
}

/** A socket is there once somebody listens: its file comes a moment before, or is what another one left. */
async function isThere(path: string): Promise<boolean> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isSocket()) return found !== undefined;
  const socket = connect(path);
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}
