/** Lets at most `limit` pieces of work run at once; the others wait in the order in which they came. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Whether the next piece of work would have to wait. */
  get isBusy(): boolean {
    return this.#free === 0;
  }

  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.take(signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** @returns what ends the turn. @throws the signal's reason when it was aborted first */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    const taken = this.takeNow();
    if (taken) return taken;
    await this.#wait(signal);
    return () => this.#release();
  }

  /** As {@link take}; undefined where that would have to wait. */
  takeNow(): (() => void) | undefined {
    if (this.#free === 0) return undefined;
    this.#free--;
    return () => this.#release();
  }

  #release(): void {
    // The place goes straight to who waits longest.
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(turn);
    });
  }
}
