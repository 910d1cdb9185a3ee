import { setInterval } from '@cleat/protocol/guard';
import { SpareSpace } from './spare-space.js';

/** How often it is looked at whether the disk fills, in ms. */
const lookMs = 500;

/** Ends a program before it takes the last of the disk: what it fetches is as large as a server likes. */
export class DiskGuard implements Disposable {
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #failure: unknown;
  /** Aborted by the caller's, or when there is too little left. */
  readonly signal: AbortSignal;

  constructor(directory: string, caller: AbortSignal) {
    this.signal = AbortSignal.any([caller, this.#stop.signal]);
    this.#timer = setInterval(() => {
      try {
        new SpareSpace(directory).take(0.1);
      } catch (error) {
        this.#failure = error;
        this.#stop.abort(error);
      }
    }, lookMs);
  }

  /** Awaits work that heeds the signal. @throws its own error, or System (ENOSPC) where that was the reason */
  async over<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
