import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { cancelled, invalidParameter, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { RegistryLimits } from './limits.js';
import { requestText } from './wording.js';

/**
 * The answer of a server. Its body is read to the end, or dropped: otherwise its connection stays in use.
 */
export class Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The real peer of the connection. */
  readonly address: string;
  readonly #message: IncomingMessage;
  readonly #limits: RegistryLimits;
  readonly #signal: AbortSignal;
  readonly #what: string;

  constructor(message: IncomingMessage, method: string, url: URL, limits: RegistryLimits, signal: AbortSignal) {
    this.status = message.statusCode ?? 0;
    this.headers = message.headers;
    this.address = message.socket.remoteAddress ?? '';
    this.#message = message;
    this.#limits = limits;
    this.#signal = signal;
    this.#what = requestText(method, url);
    // From now on: the body may break before anybody reads it.
    message.on('error', () => {});
  }

  /** Bytes that the server says will come; undefined when it does not say. */
  get length(): number | undefined {
    const text = this.headers['content-length'];
    return text === undefined || !/^\d{1,15}$/.test(text) ? undefined : Number(text);
  }

  /**
   * The body, as it comes.
   * @throws Unavailable for a body that breaks off or stalls, Cancelled
   */
  async *body(): AsyncGenerator<Buffer, void, void> {
    const message = this.#message;
    const chunks = message.iterator({ destroyOnReturn: true })[Symbol.asyncIterator]();
    const { stall, stallBytes } = this.#limits;
    let stalled = false;
    // Only waiting counts: a slow reader does not make a server slow.
    let waited = 0;
    let missing = stallBytes;
    try {
      for (;;) {
        const since = Date.now();
        const timer = setTimeout(() => {
          stalled = true;
          message.destroy();
        }, stall - waited);
        const next = await chunks.next().finally(() => clearTimeout(timer));
        if (next.done) break;
        const chunk: Buffer = next.value;
        waited += Date.now() - since;
        missing -= chunk.length;
        if (missing <= 0) [waited, missing] = [0, stallBytes];
        yield chunk;
      }
      if (stalled || !message.complete) throw new Error('cut');
    } catch (cause) {
      if (this.#signal.aborted) throw cancelled('the request was cancelled', { cause });
      const reason = stalled
        ? `net/http: request canceled (no data within ${this.#limits.stall / 1000} s)`
        : 'unexpected EOF';
      throw unavailable(`${this.#what}: ${reason}`, { cause });
    } finally {
      message.destroy();
    }
  }

  /** A small body. @throws InvalidParameter when it is larger; what {@link body} throws */
  async bytes(limit: number, what: string): Promise<Buffer> {
    const tooLarge = () => invalidParameter(`${what} is larger than ${limit} bytes`);
    if ((this.length ?? 0) > limit) {
      this.#message.destroy();
      throw tooLarge();
    }
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.body()) {
      size += chunk.length;
      if (size > limit) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** The text of an error's body; as much of it as there is. */
  async errorText(): Promise<string> {
    try {
      return (await this.bytes(this.#limits.errorBody, 'the answer of the registry')).toString('utf8');
    } catch {
      // The status tells.
      return '';
    }
  }

  /** Nobody needs the body. The connection is used again if little is left of it. */
  drop(): void {
    const message = this.#message;
    let left = this.#limits.dropped;
    const timer = setTimeout(() => message.destroy(), this.#limits.stall);
    message
      .on('data', (chunk: Buffer) => {
        left -= chunk.length;
        if (left < 0) message.destroy();
      })
      .once('close', () => clearTimeout(timer))
      .resume();
  }
}
