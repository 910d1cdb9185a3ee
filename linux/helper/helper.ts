/**
 * Killable helper processes, for every path that is not ours: a user's bind source, an extension's mount point, a
 * running container's files. A path on a hung file system costs its own caller a DeadlineExceeded, and nobody else
 * anything: each process works on one request, is killed when it is late, and others start beside it. They start on
 * use, and end when idle. Starting Node and loading what they need takes 60 to 150 ms, which nobody should meet in the
 * first call: an engine keeps one ready (`keepReady`), which holds little memory while it rests.
 */

import type { Readable } from 'node:stream';
import { Deadline } from '@cleat/protocol/async/deadline';
import { cancelled, deadlineExceeded, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { RootedFacts } from '../rootfs/root.js';
import type {
  HelperReply,
  HelperRequest,
  OperationName,
  Operations,
  StreamOperations,
  TarInRequest,
  TarOutRequest,
} from './operations.js';
import { failureOf, HelperProcess } from './process.js';
import { receiveTar, sendTar } from './streams.js';

const spareAfterMs = 20;
const spareAfterFailureMs = 5_000;

/**
 * Milliseconds for which a request waits for a process that is busy before another is started: for those that come in
 * numbers (`docker system df`), and mostly take less than such a start. Others do not wait.
 */
const patienceMs: Partial<Record<OperationName, number>> = { diskUsage: 250 };

export interface HelperOptions {
  /** Processes at one time. Default 8: as many paths may hang at once before a further caller has to wait. */
  maxProcesses?: number;
  /** Milliseconds after which an idle process ends. Default 10,000. */
  idleMs?: number;
  /** Milliseconds for a call that says nothing else, waiting for a free process included. Default 30,000. */
  deadlineMs?: number;
}

export interface CallOptions {
  deadlineMs?: number;
  signal?: AbortSignal;
}

/** See the top of the file. One per engine; `close()` it at the end. */
export class Helper {
  readonly #maxProcesses: number;
  readonly #idleMs: number;
  readonly #deadlineMs: number;
  readonly #idle: HelperProcess[] = [];
  readonly #all = new Set<HelperProcess>();
  readonly #waiting: (() => void)[] = [];
  #closed = false;
  #keepsReady = false;
  #starting: NodeJS.Timeout | undefined;

  constructor(options: HelperOptions = {}) {
    this.#maxProcesses = options.maxProcesses ?? 8;
    this.#idleMs = options.idleMs ?? 10_000;
    this.#deadlineMs = options.deadlineMs ?? 30_000;
  }

  /** From now on one process at least is there, and has run each kind of call's code once. */
  keepReady(): void {
    this.#keepsReady = true;
    this.#startSpare();
  }

  /** How many processes live; for tests and metrics. */
  get processes(): number {
    return this.#all.size;
  }

  /** How many of them have nothing to do. */
  get ready(): number {
    return this.#idle.length;
  }

  /**
   * Asks a helper. @throws CleatError of the operation's own class; DeadlineExceeded when it is late; Cancelled;
   * Unavailable when the helper died
   */
  async call<N extends OperationName>(
    operation: N,
    request: Operations[N]['request'],
    options: CallOptions = {},
  ): Promise<Operations[N]['answer']> {
    using deadline = this.#deadline(operation, options);
    const worker = await this.#acquireWithin(deadline, patienceMs[operation]);
    let reply: HelperReply;
    try {
      reply = await deadline.race(worker.ask({ operation, request } satisfies HelperRequest));
    } catch (error) {
      // It is late, or dead.
      worker.kill();
      throw error;
    }
    // Once, and also after an answer that says that the operation failed.
    this.#release(worker);
    return answerOf(reply) as Operations[N]['answer'];
  }

  /**
   * A tar stream of a path inside a root. Destroy the stream to stop early. `deadlineMs` bounds the wait for the first
   * answer, and later each pause in which the helper brings nothing although the reader wants more.
   * @throws CleatError NotFound, …; what happens later destroys the stream with such an error
   */
  async tarOut(request: TarOutRequest, options: CallOptions = {}): Promise<{ facts: RootedFacts; stream: Readable }> {
    using deadline = this.#deadline('tarOut', options);
    const worker = await this.#acquireWithin(deadline);
    try {
      const reply = await deadline.race(worker.ask({ operation: 'tarOut', request } satisfies HelperRequest));
      const { facts } = answerOf(reply) as StreamOperations['tarOut']['answer'];
      return { facts, stream: receiveTar(worker, options.deadlineMs ?? this.#deadlineMs) };
    } catch (error) {
      worker.kill();
      throw error;
    }
  }

  /**
   * Extracts a tar stream into a directory inside a root; resolves when everything is there. `deadlineMs` bounds each
   * pause in which the helper takes nothing although there is more.
   * @throws CleatError InvalidParameter (not a tar, a path that leads out, not a directory), NotFound, Conflict, …
   */
  async tarIn(request: TarInRequest, source: Readable, options: CallOptions = {}): Promise<void> {
    const worker = await this.#acquireInTime('tarIn', options);
    let isReadUp = false;
    try {
      const answer = worker.ask({ operation: 'tarIn', request } satisfies HelperRequest);
      const limits = { deadlineMs: options.deadlineMs ?? this.#deadlineMs, signal: options.signal };
      ({ isReadUp } = answerOf(await sendTar(worker, source, answer, limits)) as StreamOperations['tarIn']['answer']);
    } finally {
      // The rest of an archive in its pipe would come before the next one.
      if (isReadUp) this.#release(worker);
      else worker.kill();
    }
  }

  /** Ends every helper; calls under way are rejected. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#starting);
    for (const worker of this.#all) worker.kill();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** A process that is there only when the caller has given up (it may have gone before it asked) is for the next one. */
  async #acquireWithin(deadline: Deadline, patience?: number): Promise<HelperProcess> {
    const acquired = this.#acquire(deadline.signal, patience);
    try {
      return await deadline.race(acquired);
    } catch (error) {
      acquired.then(
        (worker) => this.#release(worker),
        () => {}, // Its caller was told of why it waits no longer.
      );
      throw error;
    }
  }

  async #acquire(signal: AbortSignal, patience = 0): Promise<HelperProcess> {
    const patient = performance.now() + patience;
    for (;;) {
      if (this.#closed) throw unavailable('the engine is shutting down');
      const idle = this.#idle.pop();
      if (idle) {
        idle.wake();
        return idle;
      }
      const canStart = this.#all.size < this.#maxProcesses;
      const waitMs = patient - performance.now();
      if (canStart && (waitMs <= 0 || this.#all.size === 0)) return this.#start();
      await this.#turn(signal, canStart ? waitMs : undefined);
      if (signal.aborted) {
        // Woken and given up at the same moment: the turn belongs to the next one.
        this.#waiting.shift()?.();
        throw cancelled('the caller no longer waits for this');
      }
    }
  }

  /** Resolves when a process may be free, after `ms`, or when nobody waits. */
  #turn(signal: AbortSignal, ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        const at = this.#waiting.indexOf(done);
        if (at >= 0) this.#waiting.splice(at, 1);
        done();
      };
      const timer = ms === undefined ? undefined : setTimeout(giveUp, ms);
      this.#waiting.push(done);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  #start(): HelperProcess {
    const worker = new HelperProcess(() => {
      this.#all.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      this.#waiting.shift()?.();
      // Where none can start (no memory, no processes left), not again and again.
      this.#spareSoon(worker.proved ? spareAfterMs : spareAfterFailureMs);
    });
    this.#all.add(worker);
    return worker;
  }

  #release(worker: HelperProcess): void {
    if (worker.dead) return;
    worker.rest(this.#idleMs, () => this.#keepsReady && this.#idle.length === 1);
    this.#idle.push(worker);
    this.#waiting.shift()?.();
  }

  /** A little later, so that the answer that used a process up goes out first. */
  #spareSoon(afterMs: number): void {
    if (!this.#keepsReady || this.#closed || this.#starting) return;
    this.#starting = setTimeout(() => {
      this.#starting = undefined;
      this.#startSpare();
    }, afterMs).unref();
  }

  #startSpare(): void {
    if (this.#closed || this.#idle.length > 0 || this.#all.size >= this.#maxProcesses) return;
    const worker = this.#start();
    void worker.ask({ operation: 'statInRoot', request: { root: '/', path: '/', follow: true } }).then(
      () => this.#release(worker),
      () => {}, // It is dead: its owner has heard of it.
    );
  }

  async #acquireInTime(operation: string, options: CallOptions): Promise<HelperProcess> {
    using deadline = this.#deadline(operation, options);
    return await this.#acquireWithin(deadline);
  }

  #deadline(operation: string, { deadlineMs = this.#deadlineMs, signal }: CallOptions): Deadline {
    return new Deadline({
      ms: deadlineMs,
      signal,
      late: () => deadlineExceeded(`${operation} did not finish within ${deadlineMs} ms: the file system may hang`),
      left: () => cancelled(`${operation} was stopped: the caller went away`),
    });
  }
}

function answerOf(reply: HelperReply): unknown {
  if (reply.type === 'failed') throw failureOf(reply);
  return reply.answer;
}
