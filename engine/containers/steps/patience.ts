import { setTimeout } from '@cleat/protocol/guard';

/** An extension that comes this soon was not waited for. */
const soonMs = 500;
/**
 * An extension that is there, and starts, may be silent for so long: on a busy machine the log driver of every
 * container is.
 */
const silentMs = 4_000;

/** Says that an extension is waited for, and why; of one that comes soon, nothing. */
export class Patience {
  readonly #tell: (reason: string) => void;
  readonly #soon: NodeJS.Timeout;
  readonly #silent: NodeJS.Timeout;
  #reason: string | undefined;
  #over = false;

  constructor(tell: (reason: string) => void) {
    this.#tell = tell;
    this.#soon = setTimeout(() => {
      this.#over = true;
      if (this.#reason !== undefined) tell(this.#reason);
    }, soonMs);
    this.#silent = setTimeout(() => tell(this.#reason ?? 'it does not answer'), silentMs);
  }

  /** It was looked for, and this is why it is not there. */
  hear(reason: string): void {
    this.#reason = reason;
    if (this.#over) this.#tell(reason);
  }

  end(): void {
    clearTimeout(this.#soon);
    clearTimeout(this.#silent);
  }
}
