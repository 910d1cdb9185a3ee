import { Backoff } from '@cleat/protocol/async/backoff';

const pauses = { firstMs: 1_000, longestMs: 10_000 };

/** Tries something until it succeeds, with growing pauses; at most once at a time. */
export class Retry {
  #running: Promise<void> | undefined;
  #pause: AbortController | undefined;
  #stopped = false;

  /** Settles when what is being tried has succeeded, or was stopped. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** An attempt that waits is made at once. */
  run(attempt: () => Promise<void>, onFailure: (error: unknown) => void): Promise<void> {
    this.hurry();
    this.#running ??= this.#loop(attempt, onFailure).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** The next attempt is made now. */
  hurry(): void {
    this.#pause?.abort();
  }

  /** No further attempt. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pause?.abort();
    await this.#running;
  }

  async #loop(attempt: () => Promise<void>, onFailure: (error: unknown) => void): Promise<void> {
    const backoff = new Backoff(pauses);
    while (!this.#stopped) {
      try {
        return await attempt();
      } catch (error) {
        onFailure(error);
      }
      if (this.#stopped) return;
      this.#pause = new AbortController();
      // A caller that knows that it is worth another attempt cuts the wait short.
      await backoff.wait({ ref: false, signal: this.#pause.signal }).catch(() => {});
      this.#pause = undefined;
    }
  }
}
