import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cancelled } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';

/** Leads bytes by others, at the pace of the slowest. */
export type Flow = (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** Ways that bytes take between a client and its handler; absent: straight. */
export interface Flows {
  readonly up?: Flow | undefined;
  readonly down?: Flow | undefined;
}

/** An answer's way by others to its client: it is cut where they break it. */
export function flowInto(flow: Flow, response: ServerResponse): PassThrough {
  const sink = owned(new PassThrough());
  pipeline(flow(sink), response).catch(() => {
    sink.destroy();
    response.destroy();
  });
  return sink;
}

/** A request's body as it comes. Its reader may stop and destroy it: the rest is read and dropped. */
export function bodyOf(request: IncomingMessage): PassThrough {
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
