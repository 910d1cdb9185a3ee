import { cancelled } from '@cleat/protocol/errors';

/** One for all: most are never looked at. */
const clientGone = cancelled('the client has gone');

/** Whether the client of a request still waits for its answer. Few requests ask, so the signal is made when one does. */
export class Presence {
  #gone = false;
  #abort: AbortController | undefined;

  get gone(): boolean {
    return this.#gone;
  }

  /** Aborted when the client has gone. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.#gone) this.#abort.abort(clientGone);
    }
    return this.#abort.signal;
  }

  readonly end = (): void => {
    this.#gone = true;
    this.#abort?.abort(clientGone);
  };
}
