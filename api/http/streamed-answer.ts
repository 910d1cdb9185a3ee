import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { writeTo } from '../streams/write.js';
import type { Answer, Outgoing } from './answer.js';
import { Collected } from './collected.js';

/** An answer whose head is sent before its end is known; or that is held until then, where somebody wants it whole. */
export class StreamedAnswer {
  readonly #response: () => ServerResponse;
  readonly #outgoing: Outgoing;
  /** Which content types are held until they are whole; undefined: none. */
  collects: ((contentType: string) => boolean) | undefined;
  #collected: Collected | undefined;

  constructor(response: () => ServerResponse, outgoing: Outgoing) {
    this.#response = response;
    this.#outgoing = outgoing;
  }

  async begin(status: number, headers: OutgoingHttpHeaders): Promise<void> {
    if (this.collects?.(String(headers['Content-Type']))) {
      this.#collected = new Collected(status, headers);
      return;
    }
    await this.#sendHead({ status, headers, body: undefined });
    this.#response().flushHeaders();
  }

  async beginAs(answer: Answer): Promise<ServerResponse> {
    const headers = await this.#sendHead(answer);
    const response = this.#response();
    // Chunks that come are chunks that go: they are not coded again.
    if (Object.keys(headers).some((name) => name.toLowerCase() === 'transfer-encoding'))
      response.chunkedEncoding = false;
    response.flushHeaders();
    return response;
  }

  write(data: string | Uint8Array): Promise<boolean> {
    return this.#collected ? this.#collected.add(data) : writeTo(this.#response(), data);
  }

  end(): void {
    const collected = this.#collected;
    if (!collected) return void this.#response().end();
    const body = collected.body();
    this.#outgoing.send(collected.status, { ...collected.headers, 'Content-Length': body.length }, body);
  }

  async from(headers: OutgoingHttpHeaders, source: Readable): Promise<void> {
    if (this.collects?.(String(headers['Content-Type']))) {
      await this.begin(200, headers);
      for await (const chunk of source as AsyncIterable<Uint8Array>) await this.write(chunk);
      return this.end();
    }
    try {
      await this.#sendHead({ status: 200, headers, body: undefined });
    } catch (error) {
      source.destroy();
      throw error;
    }
    await pipeline(source, this.#response());
  }

  async #sendHead(answer: Answer): Promise<OutgoingHttpHeaders> {
    const { status, headers } = await this.#outgoing.pass({ ...answer, isHead: true });
    this.#response().writeHead(status, headers);
    return headers;
  }
}
