import { Backoff } from '@cleat/protocol/async/backoff';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';

/** Where a watcher tells of outages; `console` is one. */
export type OutageLog = Pick<Logger, 'debug' | 'info' | 'warn'>;

const pauses = { firstMs: 100, longestMs: 5_000 };

/** Waits between attempts to reach the engine. An outage is told once, and its end. */
export class Outage {
  readonly #log: OutageLog;
  readonly #signal: AbortSignal;
  readonly #backoff = new Backoff(pauses);
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
    if (this.#succeededAt !== undefined && performance.now() - this.#succeededAt > pauses.longestMs) {
      this.#backoff.reset();
    }
    this.#succeededAt = undefined;
    // An abort ends the wait; the caller looks at the signal.
    await this.#backoff.wait({ signal: this.#signal }).catch(() => {});
  }
}
