import type { CallContext } from '@cleat/protocol/kinds/kind';

/**
 * Tells a handler when nobody waits for its answer. The signal is made when it is first asked for: most handlers
 * never do, and it is a good part of what a short call costs.
 */
export class Departure implements CallContext {
  #controller: AbortController | undefined;
  #aborted = false;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}
