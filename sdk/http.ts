import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Reply } from '@cleat/protocol/answer';
import { type Dispatcher, pluginMediaType } from '@cleat/protocol/dispatch';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { Departure } from './departure.js';

/** More than any request of an engine's needs; the largest are answers that authorization plugins see, in base64. */
const maxRequestBytes = 32 * 1024 * 1024;

export interface Answering {
  /** Calls under way are kept here. */
  calls: Set<Promise<void>>;
  /** Aborts every call under way. */
  signal: AbortSignal;
  log: Logger;
}

/** HTTP in front of a dispatcher: POST of JSON, JSON back. */
export function answering(dispatcher: Dispatcher, { calls, signal, log }: Answering): RequestListener {
  return (request, response) => {
    const call = answer(dispatcher, request, response, signal)
      .catch((error) => {
        log.warn('a call could not be answered', { path: request.url, error: messageOf(error) });
        response.destroy();
      })
      .finally(() => calls.delete(call));
    calls.add(call);
  };
}

async function answer(
  dispatcher: Dispatcher,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  if (request.method !== 'POST') return send(response, { status: 405, text: 'the plugin protocol knows POST only' });
  const text = await readBody(request);
  if (text === undefined) {
    response.setHeader('Connection', 'close');
    return send(response, { status: 413, text: `a request may have ${maxRequestBytes} bytes` });
  }
  const gone = new Departure();
  const onAbort = () => gone.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  try {
    const path = (request.url ?? '').replace(/[?#].*$/, '');
    const reply = await dispatcher.serve(path, text, gone);
    if ('text' in reply) return send(response, reply);
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
    await pipeline(Readable.from(reply.stream), response);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The body as text; undefined when it is too large. Events: an iterator makes a short call a fifth slower. */
function readBody(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    request.on('data', (chunk: Uint8Array) => {
      size += chunk.length;
      if (size <= maxRequestBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      resolve(undefined);
    });
    request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.once('error', reject);
  });
}

function send(response: ServerResponse, { status, text }: Reply): void {
  const type = text.startsWith('{') ? pluginMediaType : 'text/plain; charset=utf-8';
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
