import http2, { type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { cancelled, deadlineExceeded, messageOf } from '../errors.js';
import { guarded, owned, setTimeout } from '../guard.js';
import type { Logger } from '../log.js';
import { readMessages, send } from './framing.js';
import type { Message } from './message.js';
import { code, StatusError, trailersOf } from './status.js';

/** The rest of a call, beside its messages. */
export interface Call {
  readonly headers: IncomingHttpHeaders;
  /** Aborted when the client cancels, has gone, or its deadline has passed. */
  readonly signal: AbortSignal;
}

/** Answers the messages of one call with those that it returns. */
export interface Method {
  serve(stream: ServerHttp2Stream, call: Call): Promise<void>;
}

/** Methods by their path: `/grpc.health.v1.Health/Check`. */
export type Methods = ReadonlyMap<string, Method>;

/** How a call begins. */
export interface CallHead {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[];
}

/** Answers calls of methods that are not in the table, from the first byte on. */
export type Rest = (stream: ServerHttp2Stream, head: CallHead) => Promise<void>;

/** One message is answered by one. */
export function unary<Q, A>(
  request: Message<Q>,
  answer: Message<A>,
  handler: (request: Q, call: Call) => Promise<Partial<A>> | Partial<A>,
): Method {
  return streaming(request, answer, async function* (messages, call) {
    yield await handler(await only(messages), call);
  });
}

/** One message is answered by many. */
export function serverStream<Q, A>(
  request: Message<Q>,
  answer: Message<A>,
  handler: (request: Q, call: Call) => AsyncIterable<Partial<A>>,
): Method {
  return streaming(request, answer, async function* (messages, call) {
    yield* handler(await only(messages), call);
  });
}

/** Many messages each way. */
export function streaming<Q, A>(
  request: Message<Q>,
  answer: Message<A>,
  handler: (requests: AsyncIterable<Q>, call: Call) => AsyncIterable<Partial<A>>,
): Method {
  return {
    async serve(stream, call) {
      for await (const one of handler(readMessages(stream, request), call)) {
        if (!(await send(stream, answer.encode(one)))) return;
      }
    },
  };
}

async function only<T>(messages: AsyncIterable<T>): Promise<T> {
  for await (const one of messages) return one;
  throw new StatusError(code.internal, 'the call has no message');
}

/** Bounds for what a client makes us hold: calls at a time, and bytes of headers. */
const settings = { maxConcurrentStreams: 256, maxHeaderListSize: 64 * 1024, enablePush: false };

/**
 * Serves gRPC on a connection that is HTTP/2 from its first byte. By node:http2 alone: @grpc/grpc-js serves given
 * connections, too, but it cannot be a client on one, as sessions need it.
 * @returns resolves when the connection has ended
 */
export async function serveGrpc(connection: Duplex, methods: Methods, log: Logger, rest?: Rest): Promise<void> {
  const session = http2.performServerHandshake(connection, { settings, maxSessionMemory: 64 });
  session.on('error', (error) => log.debug('a gRPC connection failed', { error: messageOf(error) }));
  session.on(
    'stream',
    guarded((stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]) => {
      const head = { path: String(headers[':path'] ?? ''), headers, rawHeaders };
      const method = methods.get(head.path);
      if (rest && !method) return rest(owned(stream), head);
      return answerCall(stream, head, method, log);
    }),
  );
  connection.on('error', (error) => log.debug('a gRPC connection failed', { error: messageOf(error) }));
  await closed(session, connection);
}

function closed(session: ServerHttp2Session, connection: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      session.destroy();
      connection.destroy();
      resolve();
    };
    if (connection.destroyed || connection.readableEnded) end();
    session.once('close', end);
    // HTTP/2 has no half of a connection: who has closed his side has gone.
    connection.once('end', end).once('close', end);
  });
}

/** Answers a call by a method; without one, by saying so. */
export async function answerCall(
  stream: ServerHttp2Stream,
  { path, headers }: CallHead,
  method: Method | undefined,
  log: Logger,
): Promise<void> {
  owned(stream);
  if (!String(headers['content-type'] ?? '').startsWith('application/grpc')) {
    stream.respond({ ':status': 415 }, { endStream: true });
    return;
  }
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  let trailers: Record<string, string> = { 'grpc-status': '0', 'grpc-message': '' };
  stream.once('wantTrailers', () => stream.sendTrailers(trailers));
  const aborter = new AbortController();
  const deadline = timeoutMs(headers['grpc-timeout']);
  const late = (): void => aborter.abort(deadlineExceeded('the deadline of the call has passed'));
  const timer = deadline === undefined ? undefined : setTimeout(late, deadline).unref();
  stream.once('close', () => aborter.abort(cancelled('context canceled')));
  try {
    if (!method) {
      throw new StatusError(
        code.unimplemented,
        `this engine does not serve ${path.slice(0, 200)}: use a builder of your own for it (docker buildx create)`,
      );
    }
    await method.serve(stream, { headers, signal: aborter.signal });
  } catch (error) {
    trailers = trailersOf(aborter.signal.aborted ? (aborter.signal.reason ?? error) : error);
    log.debug('a gRPC call failed', { method: path, error: messageOf(error) });
  } finally {
    clearTimeout(timer);
    if (!stream.destroyed) stream.end();
    dropRest(stream);
  }
}

/**
 * Nobody needs the rest of a request that was answered; but it is read for a while, as most clients end it once they
 * have the answer: so their connection goes on.
 */
function dropRest(stream: ServerHttp2Stream): void {
  if (stream.readableEnded || stream.destroyed) return;
  const timer = setTimeout(() => stream.close(http2.constants.NGHTTP2_NO_ERROR), endPatienceMs).unref();
  const settle = (): void => clearTimeout(timer);
  stream.once('end', settle).once('close', settle).resume();
}

const endPatienceMs = 1000;

const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** `grpc-timeout: 10S`, in milliseconds; at most as long as a timer can wait. */
export function timeoutMs(header: string | string[] | undefined): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(String(header ?? '')) ?? [];
  if (digits === undefined) return undefined;
  return Math.min(Number(digits) * (units[unit] ?? 1), 2 ** 31 - 1);
}
