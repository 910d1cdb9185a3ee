import { setTimeout as pause } from 'node:timers/promises';

const shortestPauseMs = 1000;
const longestPauseMs = 10_000;

/** Tries something until it succeeds, with growing pauses; at most once at a time. */
export class Retry {
  #running: Promise<void> | undefined;
  #pause: AbortController | undefined;
  #stopped = false;

  /** Settles when what is being tried has succeeded, or was stopped. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** What is being tried already is tried at once. */
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
    for (let wait = shortestPauseMs; !this.#stopped; wait = Math.min(wait * 2, longestPauseMs)) {
      try {
        return await attempt();
      } catch (error) {
        onFailure(error);
      }
      if (this.#stopped) return;
      this.#pause = new AbortController();
      // Cut short by whoever knows that it is worth another attempt.
      await pause(wait, undefined, { ref: false, signal: this.#pause.signal }).catch(() => {});
      this.#pause = undefined;
    }
  }
}
