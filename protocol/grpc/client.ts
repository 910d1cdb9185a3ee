import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import { asCleatError, cancelled, deadlineExceeded, messageOf, unavailable } from '../errors.js';
import { owned, setInterval, setTimeout } from '../guard.js';
import type { Logger } from '../log.js';
import { healthRequest, healthResponse } from './common.js';
import { readMessages, send } from './framing.js';
import type { Message } from './message.js';
import { reset } from './reset.js';
import { errorIn, StatusError } from './status.js';

/** A call with messages both ways. */
export interface Stream<Q, A> {
  /** The messages that come. They end when the other side has; an error in its trailers is thrown. */
  readonly messages: AsyncIterable<A>;
  /** @returns false when the other side no longer reads */
  send(...messages: Partial<Q>[]): Promise<boolean>;
  /** Nothing more is sent. */
  end(): void;
  cancel(): void;
}

export interface CallOptions {
  readonly headers?: OutgoingHttpHeaders;
  readonly signal?: AbortSignal;
  /** Deadline of a call with one answer. Default: 60 s. */
  readonly deadlineMs?: number;
}

/** Calls the gRPC services at the other end of a connection, whichever side dialled it. */
export class GrpcClient {
  readonly #session: ClientHttp2Session;

  /** @param peer what errors call the other end */
  constructor(
    connection: Duplex,
    log: Logger,
    readonly peer = 'the client of the build',
  ) {
    this.#session = http2.connect('http://localhost', {
      createConnection: () => connection,
      settings: { enablePush: false, initialWindowSize: 1024 * 1024, maxHeaderListSize: 64 * 1024 },
      maxSessionMemory: 64,
    });
    this.#session.on('error', (error) => log.debug(`the connection to ${peer} failed`, { error: messageOf(error) }));
    // It is told of a connection even after it was closed.
    this.#session.on('connect', () => {
      if (!this.isClosed) this.#session.setLocalWindowSize(4 * 1024 * 1024);
    });
    const gone = (): void => {
      this.close();
      connection.destroy();
    };
    // HTTP/2 has no half of a connection: who has closed his side has gone.
    connection.on('error', gone).once('end', gone).once('close', gone);
    if (connection.readableEnded) gone();
    // A client answers; it does not call back on this connection.
    this.#session.on('stream', (stream) => owned(stream).close());
  }

  get isClosed(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  onClose(listener: () => void): void {
    if (this.isClosed) listener();
    else this.#session.once('close', listener);
  }

  close(): void {
    this.#session.destroy();
  }

  /** @throws DeadlineExceeded, Unavailable when the other end does not answer as HTTP/2 does */
  ping(deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const silent = (): void => reject(deadlineExceeded(`${this.peer} did not answer within ${deadlineMs} ms`));
      const timer = setTimeout(silent, deadlineMs);
      const gone = (): void => {
        clearTimeout(timer);
        reject(unavailable(`${this.peer} has gone`));
      };
      if (this.isClosed) return gone();
      this.#session.once('close', gone);
      const ask = (): void => {
        if (this.isClosed) return;
        this.#session.ping((error) => {
          this.#session.off('close', gone);
          if (error) return gone();
          clearTimeout(timer);
          resolve();
        });
      };
      if (this.#session.connecting) this.#session.once('connect', ask);
      else ask();
    });
  }

  /**
   * Closes the connection, and so ends its calls, when the other end does not answer. It is asked by a call, not by
   * pings: gRPC's servers count those, and close a connection that has sent three in five minutes without data from them.
   */
  keepAlive(everyMs: number, deadlineMs: number): void {
    const timer = setInterval(() => this.#answers(deadlineMs).catch(() => this.close()), everyMs).unref();
    this.onClose(() => clearInterval(timer));
  }

  /** An error is an answer, too. @throws DeadlineExceeded, Unavailable */
  async #answers(deadlineMs: number): Promise<void> {
    try {
      await this.call('/grpc.health.v1.Health/Check', [healthRequest, healthResponse], {}, { deadlineMs });
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
    }
  }

  /** A call whose messages are the caller's. @throws Unavailable */
  open(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    if (this.isClosed) throw unavailable(`${this.peer} has gone`);
    return owned(this.#session.request(headers));
  }

  /** One message, one answer. @throws StatusError, DeadlineExceeded, Cancelled, Unavailable */
  async call<Q, A>(
    path: string,
    [request, answer]: [Message<Q>, Message<A>],
    message: Partial<Q>,
    options: CallOptions = {},
  ): Promise<A> {
    const { deadlineMs = 60_000 } = options;
    const stream = this.stream(path, [request, answer], options);
    const late = (): void =>
      stream.fail(deadlineExceeded(`${this.peer} did not answer ${path} within ${deadlineMs} ms`));
    const timer = setTimeout(late, deadlineMs);
    try {
      await stream.send(message);
      stream.end();
      let last: A | undefined;
      for await (const one of stream.messages) last = one;
      if (last === undefined) throw unavailable(`${this.peer} gave no answer to ${path}`);
      return last;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Messages both ways. */
  stream<Q, A>(
    path: string,
    [request, answer]: [Message<Q>, Message<A>],
    { headers = {}, signal }: CallOptions = {},
  ): Stream<Q, A> & { fail(error: Error): void } {
    const stream = this.open({
      ...headers,
      ':method': 'POST',
      ':path': path,
      te: 'trailers',
      'content-type': 'application/grpc',
    });
    const abort = (): void => void stream.destroy(asCleatError(signal?.reason ?? cancelled('context canceled')));
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    stream.once('close', () => signal?.removeEventListener('abort', abort));
    const trailers = trailersOf(stream, this.peer);
    trailers.catch(() => {});
    return {
      messages: messagesOf(stream, answer, trailers),
      send: (...messages) => send(stream, ...messages.map((message) => request.encode(message))),
      end: () => void stream.end(),
      cancel: () => reset(stream, http2.constants.NGHTTP2_CANCEL),
      fail: (error) => void stream.destroy(error),
    };
  }
}

async function* messagesOf<A>(
  stream: ClientHttp2Stream,
  of: Message<A>,
  trailers: Promise<Error | undefined>,
): AsyncGenerator<A> {
  try {
    yield* readMessages(stream, of);
  } catch (error) {
    throw stream.errored ?? error;
  } finally {
    if (!stream.destroyed && !stream.readableEnded) reset(stream, http2.constants.NGHTTP2_CANCEL);
  }
  const failure = await trailers;
  if (failure) throw failure;
}

/** The error that the end of a call tells of, or nothing. */
function trailersOf(stream: ClientHttp2Stream, peer: string): Promise<Error | undefined> {
  return new Promise((resolve, reject) => {
    stream.once('response', (headers) => {
      // An error may come with the head, without any message.
      if (headers['grpc-status'] !== undefined) resolve(errorIn(headers));
      else if (headers[':status'] !== 200) resolve(unavailable(`${peer} answered with HTTP ${headers[':status']}`));
    });
    stream.once('trailers', (trailers) => resolve(errorIn(trailers)));
    stream.once('close', () => reject(stream.errored ?? unavailable(`${peer} has gone`)));
  });
}
