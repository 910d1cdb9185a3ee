import { setTimeout } from '@cleat/protocol/guard';
import { longestTimerMs } from '../time.js';

/** With so many readers their events are gathered for a millisecond: each of them costs one write for several events. */
const readersPerMs = 10;
/** And for no longer than this, in ms. */
const longestMs = 100;
/** Nobody notices less. */
const shortestMs = 5;

/** Those who wait for the next event. The first after a pause comes at once. */
export class Waiting {
  readonly #waiting = new Set<Waiter>();
  #last = 0;
  #timer: NodeJS.Timeout | undefined;

  wake(): void {
    if (this.#timer) return;
    const gathering = Math.min(longestMs, this.#waiting.size / readersPerMs);
    const rest = this.#last + gathering - performance.now();
    if (gathering < shortestMs || rest <= 0) this.#wakeNow();
    else this.#timer = setTimeout(() => this.#wakeNow(), rest);
  }

  /** @param signal ends its waiting, for good */
  join(signal: AbortSignal): Waiter {
    return new Waiter(this.#waiting, signal);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #wakeNow(): void {
    this.#timer = undefined;
    this.#last = performance.now();
    for (const waiter of [...this.#waiting]) waiter.wake();
  }
}

/** One reader, who waits again and again. */
export class Waiter implements Disposable {
  readonly #waiting: Set<Waiter>;
  readonly #signal: AbortSignal;
  #resolve: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = () => this.wake();

  constructor(waiting: Set<Waiter>, signal: AbortSignal) {
    this.#waiting = waiting;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
  }

  /** Until there is an event, the signal aborts, or the time is over. */
  async growth(forMs: number | undefined): Promise<void> {
    if (this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
      this.#waiting.add(this);
      if (forMs !== undefined) this.#timer = setTimeout(this.#onAbort, Math.min(forMs, longestTimerMs));
    });
  }

  wake(): void {
    clearTimeout(this.#timer);
    this.#waiting.delete(this);
    this.#resolve?.();
  }

  [Symbol.dispose](): void {
    this.wake();
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}
