import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { within } from '@cleat/protocol/async/deadline';

/** How the plugin is ended and started, for cases about crashes. */
export interface Control extends AsyncDisposable {
  /** Ends it as a crash does: nothing is said to it before. Settles when it is gone. */
  kill(): Promise<void>;
  /** Starts it; it need not answer yet. */
  start(): Promise<void>;
  /** The last of what it printed. */
  output(): string;
  /**
   * How the plugin ended although nobody killed it, in words: `exit 1`, `SIGSEGV`. Waits so long for an end that shows
   * already. @returns undefined while it runs
   */
  ended?(withinMs: number): Promise<string | undefined>;
}

const keptOutput = 4_000;
const endMs = 5_000;

/**
 * A plugin that a command of the shell starts and stays in front for: its whole process group is killed with SIGKILL,
 * and ended with SIGTERM when all is over.
 */
export class CommandControl implements Control {
  readonly #command: string;
  #child: ReturnType<typeof spawn> | undefined;
  #output = '';
  #ended: Promise<string> | undefined;

  constructor(command: string) {
    this.#command = command;
  }

  async start(): Promise<void> {
    // A group of its own: what the shell started is to be killed, not the shell alone.
    const child = spawn('/bin/sh', ['-c', this.#command], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-keptOutput);
      });
    }
    child.on('error', (error) => {
      this.#output += error.message;
    });
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
    });
    this.#child = child;
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  output(): string {
    return this.#output;
  }

  async ended(withinMs: number): Promise<string | undefined> {
    // A child that was killed for a case is not the current one.
    if (this.#child === undefined) return undefined;
    return this.#ended && (await within(withinMs, this.#ended, undefined));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    signalGroup(child.pid, signal);
    const late = setTimeout(() => child.pid && signalGroup(child.pid, 'SIGKILL'), endMs);
    await gone;
    clearTimeout(late);
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone already.
  }
}
