import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import { unavailable } from '../errors.js';
import type { GrpcClient } from './client.js';
import { reset } from './reset.js';
import { trailersOf } from './status.js';

export interface ForwardOptions {
  /** The whole request, where the caller's messages were read already. */
  readonly body?: Uint8Array;
  /** Asked at the end of a call that went well: an error here is its end instead. */
  readonly check?: () => Error | undefined;
}

/**
 * Passes on a call, and its answer back: messages unread and of any length, at the pace of who reads them; metadata,
 * status and trailers as they come. Each side hears when the other one cancels or goes.
 * @param rawHeaders the call's, names and values by turns
 * @returns resolves when the answer was passed on
 */
export async function forward(
  incoming: ServerHttp2Stream,
  rawHeaders: readonly string[],
  to: GrpcClient,
  { body, check }: ForwardOptions = {},
): Promise<void> {
  let outgoing: ClientHttp2Stream;
  try {
    outgoing = to.open(headersOf(rawHeaders, [':method', ':path', ':scheme']));
  } catch (error) {
    refuse(incoming, error);
    return;
  }
  const cancel = (): void => reset(outgoing, incoming.rstCode || constants.NGHTTP2_CANCEL);
  incoming.once('close', cancel);
  if (incoming.destroyed) cancel();
  if (body) outgoing.end(body);
  // A request that is cut off has no end: it is cancelled.
  else {
    const sent = copy(incoming, outgoing).then(() => void outgoing.end(), cancel);
    void sent.then(() => incoming.resume());
  }
  try {
    await passAnswer(outgoing, incoming, check);
  } catch (error) {
    const { rstCode } = outgoing;
    // A call that the other end resets; one whose connection is gone ends in words.
    if (rstCode && !to.isClosed) reset(incoming, rstCode);
    else refuse(incoming, to.isClosed ? unavailable(`${to.peer} has gone`) : error);
  } finally {
    incoming.resume();
  }
}

/** Ends a call with nothing but an error; what was answered before stays. */
export function refuse(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed || stream.closed) return;
  const trailers = trailersOf(error);
  if (stream.headersSent) {
    stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end();
  } else {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
  }
  stream.resume();
}

async function passAnswer(
  from: ClientHttp2Stream,
  to: ServerHttp2Stream,
  check: ForwardOptions['check'],
): Promise<void> {
  const told = trailersIn(from);
  // It is awaited below, where the answer comes as far as that.
  told.catch(() => {});
  const { headers, isEnd } = await headOf(from);
  if (to.destroyed || to.closed) return;
  if (isEnd) {
    to.respond(headers, { endStream: true });
    return;
  }
  to.respond(headers, { waitForTrailers: true });
  await copy(from, to);
  const trailers = await told;
  const failure = trailers['grpc-status'] === '0' ? check?.() : undefined;
  const last = failure ? trailersOf(failure) : trailers;
  to.once('wantTrailers', () => to.sendTrailers(last));
  to.end();
}

function headOf(stream: ClientHttp2Stream): Promise<{ headers: OutgoingHttpHeaders; isEnd: boolean }> {
  return new Promise((resolve, reject) => {
    stream.once('response', (...[, flags, raw = []]: [IncomingHttpHeaders, number, string[]?]) => {
      const isEnd = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      resolve({ headers: headersOf(raw, [':status']), isEnd });
    });
    stream.once('close', () => reject(stream.errored ?? unavailable('the call was ended without an answer')));
  });
}

function trailersIn(stream: ClientHttp2Stream): Promise<OutgoingHttpHeaders> {
  return new Promise((resolve, reject) => {
    stream.once('trailers', (...[, , raw = []]: [IncomingHttpHeaders, number, string[]?]) =>
      resolve(headersOf(raw, [])),
    );
    stream.once('close', () => reject(stream.errored ?? unavailable('the call was ended without a status')));
  });
}

/** Everything, at the pace of who takes it, or as much as is taken. @throws where it is cut off */
async function copy(from: Readable, to: Writable): Promise<void> {
  for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (to.destroyed || to.writableEnded) return;
    if (!to.write(chunk)) await roomIn(to);
  }
}

function roomIn(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off('drain', settle).off('close', settle);
      resolve();
    };
    stream.once('drain', settle).once('close', settle);
    if (stream.destroyed) settle();
  });
}

/** Headers that came, to be sent again: a name that came several times has its values apart, which Node joins. */
function headersOf(raw: readonly string[], pseudo: readonly string[]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = '', value = ''] = raw.slice(at, at + 2);
    // The length is that of a body which may be another one here.
    if (name.startsWith(':') ? !pseudo.includes(name) : ['host', 'content-length'].includes(name)) continue;
    const before = headers[name];
    headers[name] = before === undefined ? value : [...(typeof before === 'string' ? [before] : before), value];
  }
  return headers;
}
