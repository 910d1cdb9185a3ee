/** Reads exact lengths from a stream of chunks, counting and optionally seeing every byte that passes. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #onChunk: ((chunk: Buffer) => void) | undefined;
  readonly #onTaken: ((part: Buffer) => void) | undefined;
  #current: Buffer = Buffer.alloc(0);

  /**
   * @param onChunk sees the chunks as they come
   * @param onTaken sees every byte once somebody has taken it, or passed over it
   */
  constructor(chunks: AsyncIterable<Buffer>, onChunk?: (chunk: Buffer) => void, onTaken?: (part: Buffer) => void) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#onChunk = onChunk;
    this.#onTaken = onTaken;
  }

  /** @returns false at the end of the stream */
  async #fill(): Promise<boolean> {
    while (this.#current.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#onChunk?.(next.value);
      this.#current = next.value;
    }
    return true;
  }

  /** Up to `length` bytes; fewer only at the end of the stream. */
  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0 && (await this.#fill())) {
      const part = this.#cut(missing);
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** The next piece of at most `length` bytes, as it comes; undefined at the end. */
  async piece(length: number): Promise<Buffer | undefined> {
    return (await this.#fill()) ? this.#cut(length) : undefined;
  }

  #cut(length: number): Buffer {
    const part = this.#current.subarray(0, length);
    this.#current = this.#current.subarray(part.length);
    this.#onTaken?.(part);
    return part;
  }

  /** Passes over `length` bytes. @returns how many there were */
  async skip(length: number): Promise<number> {
    let missing = length;
    while (missing > 0) {
      const part = await this.piece(missing);
      if (!part) break;
      missing -= part.length;
    }
    return length - missing;
  }

  /** Reads to the end of the stream. */
  async drain(): Promise<void> {
    do {
      this.#onTaken?.(this.#current);
      this.#current = Buffer.alloc(0);
    } while (await this.#fill());
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
