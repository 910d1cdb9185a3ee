import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { unavailable } from '@cleat/protocol/errors';
import { owned, setTimeout } from '@cleat/protocol/guard';
import type { StoredBlob } from '../content/blobs.js';

/** A stream that is read through, with its size and digest when all of it was. */
export class Measured {
  readonly #open: () => AsyncIterable<Buffer>;
  readonly #hash = createHash('sha256');
  #size = 0;
  #isWhole = false;
  #reading: Readable | undefined;

  constructor(open: () => AsyncIterable<Buffer>) {
    this.#open = open;
  }

  get stream(): Readable {
    this.#reading = owned(Readable.from(this.#measured(), { objectMode: false }));
    return this.#reading;
  }

  async *#measured(): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of this.#open()) {
      this.#hash.update(chunk);
      this.#size += chunk.length;
      yield chunk;
    }
    this.#isWhole = true;
  }

  /**
   * Waits for the end: a server may answer while it still reads.
   * @param patience milliseconds for which it may take nothing
   * @throws Unavailable when it was content with a part
   */
  async whole(patience: number): Promise<StoredBlob> {
    const reading = this.#reading;
    if (reading && !reading.closed) {
      let late: NodeJS.Timeout | undefined;
      const arm = () => {
        clearTimeout(late);
        late = setTimeout(() => reading.destroy(), patience);
      };
      arm();
      reading.on('data', arm);
      await new Promise((resolve) => reading.once('close', resolve));
      clearTimeout(late);
    }
    if (!this.#isWhole) throw unavailable('the registry ended the upload before all of it was sent');
    return { digest: `sha256:${this.#hash.digest('hex')}`, size: this.#size };
  }
}
