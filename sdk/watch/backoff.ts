import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';

/** Where a watcher tells of outages; `console` is one. */
export type OutageLog = Pick<Logger, 'debug' | 'info' | 'warn'>;

const [firstMs, longestMs] = [100, 5_000];

/** Waits between attempts: 100 ms, then twice as long each time, up to 5 s. An outage is told once, and its end. */
export class Backoff {
  readonly #log: OutageLog;
  readonly #signal: AbortSignal;
  #nextMs = firstMs;
  #failing = false;
  #succeededAt: number | undefined;

  constructor(log: OutageLog, signal: AbortSignal) {
    this.#log = log;
    this.#signal = signal;
  }

  succeeded(): void {
    if (this.#failing) this.#log.info('the engine answers again');
    this.#failing = false;
    this.#succeededAt ??= performance.now();
  }

  /** Returns at once when the signal aborts. */
  async wait(error: unknown): Promise<void> {
    const text = `${messageOf(error)}; trying again`;
    if (this.#failing) this.#log.debug(text);
    else this.#log.warn(text);
    this.#failing = true;
    // An engine that accepts us and drops us, again and again, is not better than one that is away.
    if (this.#succeededAt !== undefined && performance.now() - this.#succeededAt > longestMs) this.#nextMs = firstMs;
    this.#succeededAt = undefined;
    const forMs = this.#nextMs;
    this.#nextMs = Math.min(2 * forMs, longestMs);
    // An abort ends the wait; the caller looks at the signal.
    await sleep(forMs, undefined, { signal: this.#signal }).catch(() => {});
  }
}
