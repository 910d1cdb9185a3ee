import { shared } from '@cleat/protocol/async/shared-signal';
import { Stdin } from '../streams/stdin.js';

/** One life of a container, from the runtime's create until its end was dealt with; in memory only. */
export class Run {
  readonly bundle: string;
  readonly stdin: Stdin;
  /** Set by the one that deals with the end, so that it is done once. */
  exiting = false;
  readonly #ended = new AbortController();

  constructor(bundle: string, onOutput: () => void) {
    this.bundle = bundle;
    this.stdin = new Stdin(bundle, onOutput);
    shared(this.ended); // By as many as there are processes in it.
  }

  /** Aborted when the container's process has ended. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  end(): void {
    this.stdin.close();
    this.#ended.abort();
  }
}
