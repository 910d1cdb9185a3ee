import { setTimeout } from '@cleat/protocol/guard';

export interface Pace {
  /** The work begins when nothing has been asked for during so long… */
  readonly quietMs: number;
  /** …and so long after the first wish at the latest. */
  readonly longestMs: number;
}

/** Does one piece of work for many wishes, never twice at a time, and once more for wishes that came meanwhile. */
export class Coalescer implements Disposable {
  readonly #pace: Pace;
  readonly #work: () => Promise<void>;
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #ended = false;

  /** @param work must not fail */
  constructor(pace: Pace, work: () => Promise<void>) {
    this.#pace = pace;
    this.#work = work;
  }

  /** @param atOnce without waiting for others */
  wish(atOnce = false): void {
    if (this.#ended) return;
    const now = performance.now();
    this.#since ??= now;
    clearTimeout(this.#timer);
    if (this.#running) return;
    const { quietMs, longestMs } = this.#pace;
    this.#timer = setTimeout(() => this.#begin(), atOnce ? 0 : Math.min(quietMs, this.#since + longestMs - now));
  }

  /** Whether the work is being done, or asked for. */
  get isBusy(): boolean {
    return this.#running !== undefined || (this.#since !== undefined && !this.#ended);
  }

  /** Until the work that is being done has ended. */
  async end(): Promise<void> {
    this[Symbol.dispose]();
    await this.#running;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  async #begin(): Promise<void> {
    this.#since = undefined;
    this.#running = this.#work();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
      if (this.#since !== undefined) this.wish();
    }
  }
}
