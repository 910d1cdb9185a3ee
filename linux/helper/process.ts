import { type ChildProcess, fork } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CleatError, type ErrorClass, errorStatus, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { HelperReply, HelperRequest } from './operations.js';

/** The helper's program. From sources (tests) it is the built one: Node 20 runs no TypeScript. */
function entry(): string {
  const built = import.meta.url.endsWith('.ts') ? '../dist/helper/main.js' : './main.js';
  return fileURLToPath(new URL(built, import.meta.url));
}

/**
 * A small heap and one thread beside the first: most of what it does is system calls. The collector is for its rest.
 */
export const helperFlags = ['--max-semi-space-size=2', '--optimize-for-size', '--v8-pool-size=1', '--expose-gc'];

/** One helper process: one request at a time. It does not keep the engine's event loop alive while it rests. */
export class HelperProcess {
  readonly #child: ChildProcess;
  #settle: { resolve(reply: HelperReply): void; reject(error: Error): void } | undefined;
  /**
   * Two replies that come in one read are told in one go, before the caller that saw the first can ask for the second.
   */
  readonly #early: HelperReply[] = [];
  #idleTimer: NodeJS.Timeout | undefined;
  #complaint = '';
  readonly #onDeath: () => void;
  dead = false;
  /** It has answered before. */
  proved = false;

  constructor(onDeath: () => void) {
    this.#child = fork(entry(), [], {
      execArgv: helperFlags,
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
      env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    this.#child.on('message', (message) => {
      this.proved = true;
      if (this.#settle) this.#settle.resolve(message as HelperReply);
      else this.#early.push(message as HelperReply);
      this.#settle = undefined;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-4096);
    });
    // A broken pipe says that the process is gone; `exit` tells that.
    this.#child.stdin?.on('error', () => {});
    this.#child.stdout?.on('error', () => {});
    this.#onDeath = onDeath;
    this.#child.once('error', (cause) => this.#end(cause.message, cause));
    this.#child.once('exit', (code, signal) => this.#end(signal ? `by ${signal}` : `with ${code}`));
  }

  #end(how: string, cause?: unknown): void {
    if (this.dead) return;
    this.dead = true;
    clearTimeout(this.#idleTimer);
    const complaint = this.#complaint && `: ${this.#complaint}`;
    this.#settle?.reject(unavailable(`the helper process ended ${how}${complaint}`, { cause }));
    this.#settle = undefined;
    this.#onDeath();
  }

  get busy(): boolean {
    return this.#settle !== undefined;
  }

  /** The stream operations' bytes. */
  get output(): Readable {
    if (!this.#child.stdout) throw new TypeError('a helper has its pipes');
    return this.#child.stdout;
  }

  get input(): Writable {
    if (!this.#child.stdin) throw new TypeError('a helper has its pipes');
    return this.#child.stdin;
  }

  ask(request: HelperRequest): Promise<HelperReply> {
    const reply = this.next();
    if (!this.dead) this.#child.send(request);
    return reply;
  }

  /** The next message; of a stream operation there is one more after the first. */
  next(): Promise<HelperReply> {
    const early = this.#early.shift();
    if (early) return Promise.resolve(early);
    return new Promise((resolve, reject) => {
      if (this.dead) reject(unavailable('the helper process ended'));
      else this.#settle = { resolve, reject };
    });
  }

  /**
   * Lets it end after a time without work, unless it is `wanted` then. It does not keep this process's event loop
   * alive meanwhile.
   */
  rest(idleMs: number, wanted: () => boolean): void {
    this.#hold(false);
    this.#idleTimer = setTimeout(() => {
      if (!wanted()) this.kill();
    }, idleMs);
    this.#idleTimer.unref();
  }

  wake(): void {
    clearTimeout(this.#idleTimer);
    this.#hold(true);
  }

  /** SIGKILL. Its caller is rejected at once, even when the kernel cannot let go of the process yet. */
  kill(): void {
    this.#child.kill('SIGKILL');
    // Unread output would keep its pipes open for good: their end is only seen by reading on.
    for (const pipe of [this.#child.stdin, this.#child.stdout]) pipe?.destroy();
    this.#end('by the engine');
  }

  #hold(alive: boolean): void {
    const { channel, stdin, stdout, stderr } = this.#child;
    const handles = [this.#child, channel, stdin, stdout, stderr] as (Partial<NodeJS.RefCounted> | null | undefined)[];
    for (const handle of handles) {
      if (alive) handle?.ref?.();
      else handle?.unref?.();
    }
  }
}

/** The error that a helper reported, with its class. */
export function failureOf(reply: HelperReply & { type: 'failed' }): CleatError {
  const known = reply.class in errorStatus ? (reply.class as ErrorClass) : 'System';
  return new CleatError(known, reply.message, { details: reply.details });
}
