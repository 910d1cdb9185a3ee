import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { PublishedPort } from '@cleat/linux/firewall/ruleset';
import { Backoff } from '@cleat/protocol/async/backoff';
import { conflict, messageOf, systemError, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { keyOf, type ProxyReply, type ProxyRequest } from './messages.js';

const deadlineMs = 10_000;
/** So long a process without ports waits for the next one. */
const idleMs = 10_000;
const restartPauses = { firstMs: 100, longestMs: 10_000 };
/** Limit of its heap, in MiB: the bytes that it carries are not in the heap. */
const heapMiB = 64;

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EAFNOSUPPORT: 'address family not supported by protocol',
};

/** The program. From sources (tests) it is the built one: Node 20 runs no TypeScript. */
function entry(): string {
  const built = import.meta.url.endsWith('.ts') ? '../../dist/network-bridge/proxy/main.js' : './main.js';
  return fileURLToPath(new URL(built, import.meta.url));
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/**
 * The one process that serves ports which the kernel cannot translate. It is started when there is such a port, started
 * again with all of them when it dies, and ends with this one. A port that it serves is held by that.
 */
export class PortProxy {
  readonly #mark: string;
  readonly #log: Logger;
  readonly #ports = new Map<string, PublishedPort>();
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #lastId = 0;
  readonly #backoff = new Backoff(restartPauses);
  #again: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param mark tells in the list of processes whose it is */
  constructor(mark: string, log: Logger) {
    this.#mark = mark;
    this.#log = log;
  }

  /** The process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * @throws Conflict `failed to bind host port [::]:80/tcp: address already in use`; System for other reasons;
   * Unavailable without the process
   */
  async open(port: PublishedPort): Promise<void> {
    clearTimeout(this.#idle);
    await this.#ask((id) => ({ id, open: port }), port);
    this.#ports.set(keyOf(port), port);
  }

  /** Never fails: what a process that died served is free. */
  async close(port: PublishedPort): Promise<void> {
    if (!this.#ports.delete(keyOf(port)) || !this.#child) return;
    await this.#ask((id) => ({ id, close: port }), port).catch((error: unknown) =>
      this.#log.debug('a port was not closed by its proxy', { ...port, error: messageOf(error) }),
    );
    if (this.#ports.size > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#end(), idleMs).unref();
  }

  /** Ends the process, and with it what it serves. */
  async end(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    clearTimeout(this.#idle);
    this.#ports.clear();
    await this.#end();
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  #ask(request: (id: number) => ProxyRequest, port: PublishedPort): Promise<void> {
    if (this.#closed) return Promise.reject(unavailable('the driver is being closed'));
    const child = this.#ensure();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(unavailable('the proxy of published ports does not answer'));
        child.kill('SIGKILL');
      }, deadlineMs);
      this.#waiting.set(id, { resolve, reject: (error) => reject(reworded(error, port)), timer });
      // A broken channel is followed by `exit`, which tells.
      child.send(request(id), () => {});
    });
  }

  #ensure(): ChildProcess {
    if (this.#child) return this.#child;
    const child = fork(entry(), [this.#mark], {
      execArgv: [`--max-old-space-size=${heapMiB}`],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    this.#child = child;
    child.on('message', (reply: ProxyReply) => this.#settle(reply.id, reply.code));
    child.once('error', (error) => this.#lost(child, error.message));
    child.once('exit', (code, signal) => this.#lost(child, signal ? `by ${signal}` : `with ${code}`));
    // Neither keeps this process alive.
    child.unref();
    child.channel?.unref();
    return child;
  }

  #settle(id: number, code: string | undefined): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (code === undefined) waiting.resolve();
    else waiting.reject(Object.assign(new Error(code), { code }));
  }

  #lost(child: ChildProcess, how: string): void {
    if (this.#child === child) this.#child = undefined;
    else if (this.#child) return;
    for (const id of [...this.#waiting.keys()]) this.#settle(id, `the proxy of published ports ended ${how}`);
    if (this.#closed || this.#ports.size === 0) return;
    this.#log.warn('the proxy of published ports ended; it is started again', { how });
    clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.#reopen(), this.#backoff.next()).unref();
  }

  async #reopen(): Promise<void> {
    for (const port of [...this.#ports.values()]) {
      try {
        await this.#ask((id) => ({ id, open: port }), port);
      } catch (error) {
        this.#log.warn('a published port is not served over IPv6', { ...port, error: messageOf(error) });
      }
    }
    if (this.#child) this.#backoff.reset();
  }
}

function reworded(error: Error, { protocol, hostIp, hostPort }: PublishedPort): Error {
  const reason = reasons[error.message];
  const text = `failed to bind host port [${hostIp}]:${hostPort}/${protocol}: ${reason ?? error.message}`;
  return error.message === 'EADDRINUSE' ? conflict(text, { cause: error }) : systemError(text, { cause: error });
}
