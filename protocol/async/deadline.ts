import { setTimeout } from '../guard.js';

/** Node takes a longer timer for one of 1 ms. */
export const longestTimerMs = 2 ** 31 - 1;

/**
 * Waits for `work`, or returns `late` if that takes longer than `ms` (negative: however long it takes). The work goes on
 * then, and nobody hears of its end.
 * @throws what `work` throws within that time
 */
export async function within<T, L = undefined>(ms: number, work: Promise<T>, late: L): Promise<T | L> {
  if (ms < 0) return await work;
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<L>((resolve) => {
    timer = setTimeout(() => resolve(late), Math.min(ms, longestTimerMs));
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}

export interface DeadlineOptions {
  readonly ms: number;
  /** The caller's. */
  readonly signal?: AbortSignal | undefined;
  /** Makes the error for what takes too long. */
  readonly late: () => Error;
  /** Makes the error for a caller that went away; by default it is the reason of its signal. */
  readonly left?: () => Error;
}

/** Whether `work` is done within `ms`, as {@link within}. @throws what `work` throws within that time */
export async function endsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  const done = work.then(() => true);
  return await within(ms, done, false);
}

/** The end of a wait, if it comes. */
export interface Ending {
  /** Aborts when the wait is over, with the reason. */
  readonly signal: AbortSignal;
  /** The same without a signal, which would be a good part of what a short call costs. @returns what takes it back */
  whenOver(listener: (reason: unknown) => void): () => void;
}

/** How long something may take, and a caller that may go away: whichever comes first ends it. */
export class Deadline implements Ending, Disposable {
  /** Made when somebody asks for its signal. */
  #controller: AbortController | undefined;
  readonly #listeners = new Set<(reason: unknown) => void>();
  readonly #caller: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #timer: NodeJS.Timeout;
  #over: { readonly reason: unknown } | undefined;

  constructor({ ms, signal, late, left }: DeadlineOptions) {
    this.#caller = signal;
    this.#onAbort = () => this.#end(left?.() ?? signal?.reason);
    this.#timer = setTimeout(() => this.#end(late()), ms);
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Aborts when it is over, with the error as its reason. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#over) this.#controller.abort(this.#over.reason);
    }
    return this.#controller.signal;
  }

  whenOver(listener: (reason: unknown) => void): () => void {
    if (this.#over) listener(this.#over.reason);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits for `work`, if it ends in time; else it goes on, and nobody hears of its end. @throws the error */
  race<T>(work: Promise<T>): Promise<T> {
    return waitFor(work, this.signal);
  }

  #end(reason: unknown): void {
    if (this.#over) return;
    this.#over = { reason };
    this.#controller?.abort(reason);
    for (const listener of this.#listeners) listener(reason);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }
}

/**
 * Runs `work` under a deadline and under the caller's signal: the signal that it is given aborts with the first of both.
 * @throws what `work` throws, which is to be the reason of its signal: the error that `late` makes, or the caller's
 */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  late: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  using deadline = new Deadline({ ms, signal, late });
  return await work(deadline.signal);
}

/** Waits for `work`; it goes on for others when this caller goes away. @throws the signal's reason */
export function waitFor<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => {}); // Nobody waits for it here.
    return Promise.reject(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
