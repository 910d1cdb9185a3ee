/** A line that announces a chunk may be so long, and so may all trailers together. */
const maxLine = 4096;
const maxTrailers = 16 * 1024;

const lastChunk = '0\r\n\r\n';

/** Gets a body piece by piece, in order. */
export interface ChunkReceiver {
  /** Its data. */
  data?(piece: Buffer): void;
  /** All of it as it is handed on, in chunks. */
  coded?(piece: Buffer): void;
}

/**
 * Reads a body in chunked transfer coding (RFC 9112, 7.1). It can be handed on in the chunks in which it came, as bytes.
 * On its next connection another request follows the body, so the next parser must see the same end. A line that it might
 * read in another way is written anew, without extensions. Trailers are left out. A malformed body is not handed on.
 */
export class ChunkReader {
  #state: 'size' | 'data' | 'end of data' | 'trailers' | 'done' | 'broken' = 'size';
  /** Bytes of the chunk that are missing. */
  #left = 0;
  /** The beginning of a line whose end has not come. */
  #line = '';
  #trailers = 0;

  get isComplete(): boolean {
    return this.#state === 'done';
  }

  /** It was malformed: nothing more comes out. */
  get isBroken(): boolean {
    return this.#state === 'broken';
  }

  /** @returns how many of the bytes belong to the body */
  take(bytes: Buffer, to: ChunkReceiver): number {
    /** Where the bytes begin that go as they came. */
    let from = 0;
    let at = 0;
    const flush = (): void => {
      if (at > from) to.coded?.(bytes.subarray(from, at));
    };
    while (at < bytes.length && !this.isComplete && !this.isBroken) {
      if (this.#state === 'data') {
        const length = Math.min(this.#left, bytes.length - at);
        to.data?.(bytes.subarray(at, at + length));
        this.#left -= length;
        at += length;
        if (this.#left === 0) this.#state = 'end of data';
        continue;
      }
      const end = bytes.indexOf(10, at);
      const line = this.#line + bytes.toString('latin1', at, end < 0 ? bytes.length : end + 1);
      const isBegunHere = this.#line === '';
      this.#line = end < 0 ? line : '';
      if (line.length > maxLine) this.#state = 'broken';
      const written = end < 0 || this.isBroken ? '' : this.#onLine(line);
      const next = end < 0 ? bytes.length : end + 1;
      if (!isBegunHere || written !== line) {
        flush();
        if (written !== '') to.coded?.(Buffer.from(written, 'latin1'));
        from = next;
      }
      at = next;
    }
    flush();
    return at;
  }

  /** @returns the line as it is handed on */
  #onLine(line: string): string {
    if (this.#state === 'size') return this.#onSize(line);
    if (this.#state === 'end of data') {
      this.#state = line === '\r\n' ? 'size' : 'broken';
      return line === '\r\n' ? line : '';
    }
    if (line === '\r\n') {
      this.#state = 'done';
      return lastChunk;
    }
    this.#trailers += line.length;
    if (this.#trailers > maxTrailers) this.#state = 'broken';
    return '';
  }

  #onSize(line: string): string {
    const digits = /^([0-9a-f]{1,12})[ \t]*(?:;[^\r]*)?\r\n$/i.exec(line)?.[1];
    if (digits === undefined) {
      this.#state = 'broken';
      return '';
    }
    this.#left = Number.parseInt(digits, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'data';
    return this.#left === 0 ? '' : `${digits}\r\n`;
  }
}
