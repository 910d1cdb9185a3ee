/** One piece of work at a time, in the order in which they came. */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /** Resolves with the release function when all earlier holders have released. */
  async acquire(): Promise<() => void> {
    const before = this.#tail;
    let release: () => void = () => {};
    this.#tail = new Promise<void>((resolve) => {
      release = resolve;
    });
    await before;
    return release;
  }

  async run<T>(work: () => Promise<T> | T): Promise<T> {
    const release = await this.acquire();
    try {
      return await work();
    } finally {
      release();
    }
  }
}
