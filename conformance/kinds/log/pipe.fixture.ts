import { closeSync, constants, openSync, readSync } from 'node:fs';

const pollMs = 2;

/** Reads a FIFO from time to time. Simple, and never in the way: a test has few of them, for a moment. */
export class Pipe implements Disposable {
  readonly #fd: number;
  readonly #take: (chunk: Buffer) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #buffer = Buffer.alloc(64 * 1024);
  #received = false;
  #closed = false;

  /** @param onEnd at the end of file, after something came */
  constructor(path: string, take: (chunk: Buffer) => void, onEnd: () => void) {
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#take = take;
    this.#timer = setInterval(() => {
      // Before anybody writes, the end is not the end.
      if (this.drain() && this.#received) onEnd();
    }, pollMs);
  }

  /** Takes what is there. @returns whether the last writer is gone */
  drain(): boolean {
    for (;;) {
      const size = this.#read();
      if (size === undefined) return false;
      if (size === 0) return true;
      this.#received = true;
      this.#take(Buffer.from(this.#buffer.subarray(0, size)));
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    closeSync(this.#fd);
  }

  #read(): number | undefined {
    try {
      return readSync(this.#fd, this.#buffer);
    } catch {
      // Nothing just now.
      return undefined;
    }
  }
}
