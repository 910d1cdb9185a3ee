import { readSync } from 'node:fs';

/** One piece that is read, in bytes. */
const pieceBytes = 256 * 1024;

/** Reads a file from its beginning, also one that somebody still writes: at its end it waits until there is more. */
export class GrowingFile implements AsyncIterable<Buffer> {
  readonly #fd: number;
  readonly #onRead: (bytes: number) => void;
  #isWhole: boolean;
  #hasNews = false;
  #wake: () => void = () => {};

  /** @param onRead hears of the bytes that were read so far */
  constructor(fd: number, isWhole: boolean, onRead: (bytes: number) => void) {
    this.#fd = fd;
    this.#isWhole = isWhole;
    this.#onRead = onRead;
  }

  /** There is more of it, or now all. */
  tell(isWhole: boolean): void {
    this.#isWhole ||= isWhole;
    this.#hasNews = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    for (let at = 0; ; ) {
      // Before it is read: what is whole by then has nothing behind what is read.
      const wasWhole = this.#isWhole;
      this.#hasNews = false;
      const piece = Buffer.allocUnsafeSlow(pieceBytes);
      const length = readSync(this.#fd, piece, 0, pieceBytes, at);
      if (length > 0) {
        at += length;
        this.#onRead(at);
        yield piece.subarray(0, length);
      } else if (wasWhole) {
        return;
      } else {
        await this.#news();
      }
    }
  }

  async #news(): Promise<void> {
    while (!this.#hasNews) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
