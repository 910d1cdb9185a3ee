/** Lets at most `limit` pieces of work run at once; the others wait in order. */
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

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes straight to who waits longest.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** Runs all; when one fails, `cancel` is called, the others are waited for, and the first failure is thrown. */
export async function allOrNone<T>(work: readonly Promise<T>[], cancel: () => void): Promise<T[]> {
  let first: { error: unknown } | undefined;
  const settled = await Promise.all(
    work.map(async (each) => {
      try {
        return [await each];
      } catch (error) {
        first ??= { error };
        cancel();
        return [];
      }
    }),
  );
  if (first) throw first.error;
  return settled.flat();
}
