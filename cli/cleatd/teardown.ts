import { messageOf } from '@cleat/protocol/errors';

/** Releases in the reverse order of acquisition; every failure is collected, none stops the others. */
export class Teardown {
  readonly #steps: { what: string; release: () => void | Promise<void> }[] = [];

  add(what: string, release: () => void | Promise<void>): void {
    this.#steps.push({ what, release });
  }

  /** @returns what went wrong, a sentence each. A second call does nothing. */
  async run(): Promise<string[]> {
    const failures: string[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.release();
      } catch (error) {
        failures.push(`${step.what}: ${messageOf(error)}`);
      }
    }
    return failures;
  }
}
