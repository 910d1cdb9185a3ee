import { setImmediate } from 'node:timers/promises';

/** How long synchronous work goes on before others have their turn, in ms. */
const slice = 4;

/**
 * Lets others have their turn now and then: files of a context are read synchronously, which is several times faster
 * for many small ones, and would hold up the whole process.
 */
export class Pace {
  #since = performance.now();

  /** Call it between two files. @throws the signal's reason */
  async next(signal?: AbortSignal): Promise<void> {
    if (performance.now() - this.#since < slice) return;
    await setImmediate();
    signal?.throwIfAborted();
    this.#since = performance.now();
  }
}
