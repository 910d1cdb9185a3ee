import type { Writable } from 'node:stream';

/** Bodies that come one after the other on one pipe: pieces with their length in front; a length of 0 ends a body. */

const headBytes = 4;

/** The head of a piece of `length` bytes. */
function headOf(length: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(length);
  return head;
}

/** Sends a piece. @returns false when the pipe is full: wait for `drain` */
export function writePiece(pipe: Writable, piece: Buffer): boolean {
  if (piece.length === 0) return true;
  pipe.cork();
  pipe.write(headOf(piece.length));
  const hasRoom = pipe.write(piece);
  pipe.uncork();
  return hasRoom;
}

export function endBody(pipe: Writable): void {
  pipe.write(headOf(0));
}

/** The other end of the pipe. Only what was read to its end may be followed by another body. */
export class Bodies {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #isReadUp = true;

  constructor(pipe: AsyncIterable<Buffer>) {
    this.#chunks = pipe[Symbol.asyncIterator]();
  }

  /** The last body was read to its end. */
  get isReadUp(): boolean {
    return this.#isReadUp;
  }

  async *next(): AsyncGenerator<Buffer> {
    this.#isReadUp = false;
    for (;;) {
      while (this.#rest.length < headBytes) this.#rest = Buffer.concat([this.#rest, await this.#chunk()]);
      let left = this.#rest.readUInt32BE();
      this.#rest = this.#rest.subarray(headBytes);
      if (left === 0) break;
      while (left > 0) {
        if (this.#rest.length === 0) this.#rest = await this.#chunk();
        const part = this.#rest.subarray(0, left);
        this.#rest = this.#rest.subarray(part.length);
        left -= part.length;
        yield part;
      }
    }
    this.#isReadUp = true;
  }

  async #chunk(): Promise<Buffer> {
    const { done, value } = await this.#chunks.next();
    if (done) throw new Error('the pipe has ended within a body');
    return value;
  }
}
