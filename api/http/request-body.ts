import { PassThrough, Readable } from 'node:stream';
import { cancelled } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import type { Hijacker } from '../hijack/hijacker.js';
import { readText } from './body.js';
import type { Streams } from './messages.js';

export interface RequestBodyParts {
  /** All of it, where it came with the head. */
  readonly whole: Buffer | undefined;
  /** Where it comes later. */
  readonly streams: () => Streams;
  readonly hijacker: Hijacker | undefined;
}

/** The body of a request: a text that is read once, or a stream. */
export class RequestBody {
  readonly #parts: RequestBodyParts;
  #text: Promise<string> | undefined;

  constructor(parts: RequestBodyParts) {
    this.#parts = parts;
  }

  /** As it was sent, or replaced. @throws InvalidParameter when it is too large */
  text(): Promise<string> {
    this.#text ??= this.#read();
    return this.#text;
  }

  replace(text: string): void {
    this.#text = Promise.resolve(text);
  }

  async #read(): Promise<string> {
    const { whole, hijacker, streams } = this.#parts;
    if (whole) return whole.toString();
    return await readText(hijacker ? hijacker.body() : streams().request.iterator({ destroyOnReturn: false }));
  }

  /**
   * As it comes. Its reader may stop and destroy it: the connection lives on, for the answer, and what is left of the
   * body is read and dropped.
   */
  stream(): Readable {
    const { hijacker, streams } = this.#parts;
    if (hijacker) return owned(Readable.from(hijacker.body()));
    const { request } = streams();
    const body = owned(new PassThrough({ highWaterMark: 256 * 1024 }));
    // Node's own word for it ("aborted") says nothing to a reader of the log.
    const onGone = (): void => void body.destroy(cancelled('the client has gone before its request was complete'));
    request.once('error', onGone);
    request.once('close', () => !request.readableEnded && onGone());
    if (request.destroyed) onGone();
    body.once('close', () => {
      request.off('data', onData);
      request.resume();
    });
    const onData = (chunk: Buffer): void => {
      if (!body.write(chunk)) request.pause();
    };
    body.on('drain', () => request.resume());
    request.on('data', onData);
    request.once('end', () => body.end());
    return body;
  }
}
