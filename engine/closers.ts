import { messageOf } from '@cleat/protocol/errors';

type Close = () => Promise<void> | void;

/** How to close what was opened, in the reverse order. */
export class Closers {
  readonly #closers: [what: string, close: Close][] = [];
  #isClosing = false;

  get isClosing(): boolean {
    return this.#isClosing;
  }

  add(what: string, close: Close): void {
    this.#closers.push([what, close]);
  }

  /** Closes all of it, whatever fails. @returns the failures, a line each */
  async close(): Promise<string[]> {
    this.#isClosing = true;
    const failures: string[] = [];
    for (let next = this.#closers.pop(); next !== undefined; next = this.#closers.pop()) {
      const [what, close] = next;
      try {
        await close();
      } catch (error) {
        failures.push(`${what}: ${messageOf(error)}`);
      }
    }
    return failures;
  }
}
