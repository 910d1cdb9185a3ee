import type { WaitCondition, WaitResult } from '../service.js';

/** Those who wait for a container to reach a state. */
export class Waiters {
  readonly #waiting = new Map<WaitCondition, Set<(result: WaitResult) => void>>();

  /** Settles at the next occurrence of `condition`, with an AbortSignal's reason when that comes first. */
  until(condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult> {
    const set = this.#waiting.get(condition) ?? new Set();
    this.#waiting.set(condition, set);
    return new Promise<WaitResult>((resolve, reject) => {
      const abort = () => {
        set.delete(done);
        reject(signal?.reason);
      };
      const done = (result: WaitResult) => {
        set.delete(done);
        signal?.removeEventListener('abort', abort);
        resolve(result);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      set.add(done);
    });
  }

  settle(condition: WaitCondition, result: WaitResult): void {
    for (const done of [...(this.#waiting.get(condition) ?? [])]) done(result);
  }
}
