import { Backoff } from '@cleat/protocol/async/backoff';
import { setTimeout } from '@cleat/protocol/guard';

const pauses = { firstMs: 100, longestMs: 60_000 };
/** A container that ran for so long is not in a crash loop: the delay starts anew. */
const calmAfterMs = 10_000;

/** Restarts of one container: one that is due, or on its way. Waits before each: 100 ms, doubled each time, a minute at most. */
export class RestartTimer {
  readonly #backoff = new Backoff(pauses);
  #timer: NodeJS.Timeout | undefined;
  #start: AbortController | undefined;
  /** A user stopped or killed it: no restart until the next start by hand. */
  cancelled = false;
  /** The extension that the start on its way waits for, for people; undefined while it waits for none. */
  waitingFor: string | undefined;

  /** @param ranMs how long it ran this time */
  schedule(ranMs: number, work: () => void): void {
    if (ranMs >= calmAfterMs) this.#backoff.reset();
    this.#timer = setTimeout(work, this.#backoff.next());
  }

  /** A start that the policy wants is on its way; the signal aborts when it is no longer wanted. */
  begin(): AbortSignal {
    this.#start?.abort();
    this.#start = new AbortController();
    return this.#start.signal;
  }

  /** The start of that signal is over. */
  done(signal: AbortSignal): void {
    if (this.#start?.signal !== signal) return;
    this.#start = undefined;
    this.waitingFor = undefined;
  }

  /** A start is on its way, and not merely due. */
  get starting(): boolean {
    return this.#start !== undefined;
  }

  /** Ends a start on its way, or one that is due. */
  cancel(): void {
    this.cancelled = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.release();
  }

  /** Ends a start on its way: somebody else sees to it. */
  release(): void {
    this.#start?.abort();
    this.#start = undefined;
    this.waitingFor = undefined;
  }

  /** The timer has fired. */
  fired(): void {
    this.#timer = undefined;
  }

  reset(): void {
    this.cancelled = false;
    this.#backoff.reset();
  }
}
