import type { IncomingMessage } from 'node:http';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { type EngineEvent, MessageReader } from './message.js';

export interface Reading {
  isNew: (event: EngineEvent) => boolean;
  limit: number;
  signal: AbortSignal;
}

/**
 * One answer of `GET /events`. It is always read at once, however slow its consumer is: dockerd loses events of who
 * does not read, without a word. When `limit` events wait for the consumer, the answer is cut off instead: once they
 * are taken, the engine is to be asked for what came after them.
 */
export class EventStream implements AsyncIterable<EngineEvent>, Disposable {
  readonly #response: IncomingMessage;
  #pending: EngineEvent[] = [];
  #ended = false;
  #failure: Error | undefined;
  #wake = () => {};

  /** @param isNew says of each event, as it arrives, whether it is wanted */
  constructor(response: IncomingMessage, { isNew, limit, signal }: Reading) {
    this.#response = response;
    const reader = new MessageReader();
    const abort = () => this.#end();
    signal.addEventListener('abort', abort, { once: true });
    response.on('data', (chunk: Buffer) => {
      if (this.#ended) return;
      try {
        for (const event of reader.read(chunk)) if (isNew(event)) this.#pending.push(event);
      } catch (error) {
        this.#end(unavailable(messageOf(error), { cause: error }));
        return;
      }
      if (this.#pending.length >= limit) this.#end();
      this.#wake();
    });
    response.on('error', (cause) =>
      this.#end(unavailable(`the engine’s events broke off: ${messageOf(cause)}`, { cause })),
    );
    response.on('end', () => this.#end(unavailable('the engine ended its events')));
    response.on('close', () => {
      signal.removeEventListener('abort', abort);
      this.#end(unavailable('the engine closed the connection of its events'));
    });
    if (signal.aborted) this.#end();
  }

  /** Ends when it was cut off or the signal aborted. @throws Unavailable when the engine ended it, after its events */
  async *[Symbol.asyncIterator](): AsyncGenerator<EngineEvent> {
    for (;;) {
      const events = this.#pending;
      this.#pending = [];
      yield* events;
      if (this.#pending.length > 0) continue;
      if (this.#failure) throw this.#failure;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  /** The first time counts. */
  #end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#response.destroy();
    this.#wake();
  }
}
