/** Work on one name is done in order of arrival; work on different names never waits for one another. */
export class Turns {
  readonly #tails = new Map<string, Promise<void>>();

  async run<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const before = this.#tails.get(name);
    let release: () => void = () => {};
    const tail = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#tails.set(name, tail);
    await before;
    try {
      return await work();
    } finally {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
      release();
    }
  }
}
