import type { ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { deadlineExceeded, systemError, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { interfaceNames } from './facts.js';

type IpProcess = ChildProcessByStdio<Writable, Readable, null>;

/** Ends the warm process after so many ms without work, so that it costs no memory at rest. */
const idleMs = 5_000;
/** `ip` remembers every interface that it met; a new process forgets them. */
const maxBatches = 500;
const deadlineMs = 15_000;

interface Batch {
  commands: readonly string[];
  resolve(): void;
  reject(error: Error): void;
}

/**
 * Runs `ip` commands in the host's namespace. One `ip -batch -` process is kept warm while there is work: a batch then
 * costs one round trip over a pipe (about 1 ms) and no process. Batches run one after another, each to its first
 * failing command.
 *
 * How an answer is recognised: each command is followed by `link show dev lo`, whose output `ip` flushes at once; what
 * comes before it is the command's error.
 */
export class HostLinks {
  #process: IpProcess | undefined;
  #output = '';
  #queue: Batch[] = [];
  #busy = false;
  #batches = 0;
  #idle: NodeJS.Timeout | undefined;
  #waiting: { resolve(error: string): void; reject(error: Error): void } | undefined;

  /**
   * @param commands as after `ip`, for example `link set br0 up`; never with line breaks
   * @throws CleatError System with what `ip` said; `details.command` is the one that failed, and `details.done` how
   * many succeeded before it
   */
  run(commands: readonly string[]): Promise<void> {
    if (commands.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#queue.push({ commands, resolve, reject });
      if (!this.#busy) void this.#drain();
    });
  }

  /** Forgets what `ip` remembers of interfaces: after one was removed whose name may come back. */
  forget(): void {
    this.#batches = maxBatches;
  }

  /** Ends the process. Work that comes later starts another. */
  close(): void {
    clearTimeout(this.#idle);
    this.#retire();
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    clearTimeout(this.#idle);
    for (let batch = this.#queue.shift(); batch; batch = this.#queue.shift()) {
      try {
        await this.#runBatch(batch.commands);
        batch.resolve();
      } catch (error) {
        this.forget();
        batch.reject(error instanceof Error ? error : systemError(String(error)));
      }
    }
    this.#busy = false;
    this.#idle = setTimeout(() => this.#retire(), idleMs).unref();
  }

  async #runBatch(commands: readonly string[]): Promise<void> {
    if (this.#batches++ >= maxBatches) this.#retire();
    for (const [done, command] of commands.entries()) {
      const said = await this.#ask(command);
      if (said && !isNeedless(command, said)) throw ipError(said, command, done);
    }
  }

  #ask(command: string): Promise<string> {
    const child = this.#ensure();
    return new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#retire('SIGKILL');
        settle(() => reject(deadlineExceeded(`ip ${command} did not finish within ${deadlineMs} ms`)));
      }, deadlineMs);
      const settle = (then: () => void) => {
        clearTimeout(timer);
        this.#waiting = undefined;
        then();
      };
      this.#waiting = {
        resolve: (said) => settle(() => resolve(said)),
        reject: (error) => settle(() => reject(error)),
      };
      child.stdin.write(`${command}\nlink show dev lo\n`);
    });
  }

  /**
   * Deletes an interface of this namespace. One that is not there is fine, and so is one that goes in this moment, with
   * the namespace that its other end is in.
   * @throws System with what `ip` said
   */
  async remove(name: string): Promise<void> {
    if (!interfaceNames().has(name)) return;
    try {
      await this.run([`link delete dev ${name}`]);
    } catch (error) {
      if (interfaceNames().has(name)) throw error;
    }
  }

  #ensure(): IpProcess {
    if (this.#process) return this.#process;
    // stderr into stdout, in the order of writing: sh is replaced by ip at once.
    const child: IpProcess = spawn('sh', ['-c', 'exec ip -force -batch - 2>&1'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#process = child;
    this.#output = '';
    this.#batches = 1;
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      if (this.#process === child) this.#read(text);
    });
    const lost = () => {
      if (this.#process !== child) return;
      this.#process = undefined;
      const said = this.#output.includes('not found') ? 'ip is not installed (package iproute2)' : this.#output.trim();
      this.#waiting?.reject(unavailable(said || 'the ip process ended unexpectedly'));
    };
    child.once('error', lost);
    child.once('close', lost);
    // A broken pipe is followed by `close`, which tells.
    child.stdin.on('error', () => {});
    child.unref();
    for (const stream of [child.stdin, child.stdout]) unref(stream);
    return child;
  }

  #read(text: string): void {
    this.#output += text;
    // The acknowledgement is two lines: `1: lo: <…` and `    link/loopback …`.
    const end = /^\d+: lo: .*\n\s+link\/.*\n/m.exec(this.#output);
    if (!end) return;
    const said = this.#output.slice(0, end.index);
    this.#output = '';
    this.#waiting?.resolve(said);
  }

  #retire(signal?: NodeJS.Signals): void {
    const child = this.#process;
    this.#process = undefined;
    this.#batches = 0;
    child?.stdin.end();
    if (signal) child?.kill(signal);
  }
}

function unref(stream: Readable | Writable): void {
  if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
}

/** An interface on which IPv6 cannot be (the host is without, or the MTU is below 1280) gets no address by itself. */
export const isNeedless = (command: string, said: string): boolean =>
  command.endsWith(' addrgenmode none') && said.includes('Address family not supported by protocol');

/** The message of `ip`, without its `Command failed -:7`. */
export function ipError(said: string, command: string, done: number): Error {
  const text = said
    .split('\n')
    .filter((line) => line && !line.startsWith('Command failed'))
    .join('; ')
    .replace(/^RTNETLINK answers: /, '');
  return systemError(`ip ${command}: ${text}`, { details: { command, done, said: text } });
}

let shared: HostLinks | undefined;

/** This process's one {@link HostLinks}, shared by the engine and the drivers that run in it. */
export function hostLinks(): HostLinks {
  shared ??= new HostLinks();
  return shared;
}
