import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { systemError } from '@cleat/protocol/errors';
import { writeTo } from '../streams/write.js';
import type { Answer, Outgoing } from './answer.js';
import { Collected } from './collected.js';
import { type Flow, flowInto } from './flows.js';

/** An answer whose head is sent before its end is known; or that is held until then, where somebody wants it whole. */
export class StreamedAnswer {
  readonly #response: () => ServerResponse;
  readonly #outgoing: Outgoing;
  /** Which content types are held until they are whole; undefined: none. */
  collects: ((contentType: string) => boolean) | undefined;
  /** Leads the bytes by others. */
  flow: Flow | undefined;
  #collected: Collected | undefined;
  /** Takes the bytes on their way to others. */
  #sink: PassThrough | undefined;

  constructor(response: () => ServerResponse, outgoing: Outgoing) {
    this.#response = response;
    this.#outgoing = outgoing;
  }

  async begin(status: number, headers: OutgoingHttpHeaders): Promise<void> {
    if (this.isCollected(String(headers['Content-Type']))) {
      this.#collected = new Collected(status, headers);
      return;
    }
    await this.#sendHead({ status, headers, body: undefined });
    const response = this.#response();
    response.flushHeaders();
    if (this.flow) this.#sink = flowInto(this.flow, response);
  }

  /** Bytes that are led by others are not held. */
  isCollected(contentType: string): boolean {
    return !this.flow && this.collects?.(contentType) === true;
  }

  async beginAs(answer: Answer): Promise<ServerResponse> {
    if (this.flow) throw systemError('the bytes of this answer are led by others: they are not handed on as they came');
    const headers = await this.#sendHead(answer);
    const response = this.#response();
    // Chunks that come are chunks that go: they are not coded again.
    if (Object.keys(headers).some((name) => name.toLowerCase() === 'transfer-encoding'))
      response.chunkedEncoding = false;
    response.flushHeaders();
    return response;
  }

  write(data: string | Uint8Array): Promise<boolean> {
    return this.#collected ? this.#collected.add(data) : writeTo(this.#sink ?? this.#response(), data);
  }

  end(): void {
    const collected = this.#collected;
    if (!collected) return void (this.#sink ?? this.#response()).end();
    const body = collected.body();
    this.#outgoing.send(collected.status, { ...collected.headers, 'Content-Length': body.length }, body);
  }

  async from({ status, headers }: Answer, source: Readable): Promise<void> {
    if (this.isCollected(String(headers['Content-Type']))) {
      await this.begin(status, headers);
      for await (const chunk of source as AsyncIterable<Uint8Array>) await this.write(chunk);
      return this.end();
    }
    try {
      await this.#sendHead({ status, headers, body: undefined });
    } catch (error) {
      source.destroy();
      throw error;
    }
    await pipeline(this.flow ? this.flow(source) : source, this.#response());
  }

  async #sendHead(answer: Answer): Promise<OutgoingHttpHeaders> {
    const { status, headers } = await this.#outgoing.pass({ ...answer, isHead: true });
    this.#response().writeHead(status, headers);
    return headers;
  }
}
