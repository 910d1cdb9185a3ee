import type { TimerOptions } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Pauses {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Pauses between attempts: each is twice as long as the one before, up to the longest. */
export class Backoff {
  readonly #pauses: Pauses;
  #nextMs: number;

  constructor(pauses: Pauses) {
    this.#pauses = pauses;
    this.#nextMs = pauses.firstMs;
  }

  /** How long the next pause is, in ms; does not use it up. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** The next pause, in ms; the one after it is longer. */
  next(): number {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(ms * 2, this.#pauses.longestMs);
    return ms;
  }

  /** An attempt succeeded: the next pause is the first again. */
  reset(): void {
    this.#nextMs = this.#pauses.firstMs;
  }

  /** Sleeps for the next pause. @throws AbortError when the signal of the options aborts */
  async wait(options?: TimerOptions): Promise<void> {
    await sleep(this.next(), undefined, options);
  }
}
