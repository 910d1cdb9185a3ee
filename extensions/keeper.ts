import { Backoff } from '@cleat/protocol/async/backoff';
import { guarded, setTimeout } from '@cleat/protocol/guard';
import type { Source } from './source.js';

/** Between two attempts of one that is there and cannot be activated; its next start is an occasion at once. */
const pauses = { firstMs: 250, longestMs: 60_000 };

/**
 * Sees to it that an extension is ready without a call that finds out: asks it what it is when it was started, again
 * after each restart, and, while it does not answer, now and then.
 */
export class Keeper {
  readonly #source: Source;
  readonly #activate: () => Promise<void>;
  readonly #onGone: () => void;
  readonly #backoff = new Backoff(pauses);
  readonly #unwatch: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trying = false;
  #again = false;
  #closed = false;

  /** @param onGone called when its process has ended */
  constructor(source: Source, activate: () => Promise<void>, onGone: () => void) {
    this.#source = source;
    this.#activate = activate;
    this.#onGone = onGone;
    this.#unwatch = source.watch?.(guarded(() => this.#look()));
    void this.#try();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unwatch?.();
  }

  #look(): void {
    if (this.#source.process?.().pid === undefined) {
      this.#onGone();
      return;
    }
    this.#backoff.reset();
    if (this.#trying) this.#again = true;
    else void this.#try();
  }

  async #try(): Promise<void> {
    clearTimeout(this.#timer);
    this.#trying = true;
    this.#again = false;
    try {
      await this.#activate();
      this.#backoff.reset();
    } catch {
      // The extension's state has the reason.
      if (!this.#closed && !this.#again) this.#timer = setTimeout(() => this.#try(), this.#backoff.next()).unref();
    } finally {
      this.#trying = false;
    }
    if (this.#again && !this.#closed) await this.#try();
  }
}
