import type { OutgoingHttpHeaders } from 'node:http';
import { systemError } from '@cleat/protocol/errors';

/** Bytes of an answer that is held back whole. */
const maxBytes = 16 * 1024 * 1024;

/** An answer that would be a stream, and is held until it is whole. */
export class Collected {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(status: number, headers: OutgoingHttpHeaders) {
    this.status = status;
    this.headers = headers;
  }

  /** @throws System when it becomes too large */
  async add(data: string | Uint8Array): Promise<true> {
    const chunk = typeof data === 'string' ? Buffer.from(data) : data;
    this.#size += chunk.length;
    if (this.#size > maxBytes) throw systemError(`the answer is too large to be changed: more than ${maxBytes} bytes`);
    this.#chunks.push(chunk);
    return true;
  }

  body(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
