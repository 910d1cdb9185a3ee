import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Reply } from '@cleat/protocol/answer';
import { type Dispatcher, messageHeader, pluginMediaType, type StreamReply } from '@cleat/protocol/dispatch';
import { messageOf } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { CallLog } from './call-log.js';
import type { CallStatistics, Result } from './calls.js';
import { Departure } from './departure.js';
import { type Pages, plainText } from './pages.js';

/** More than any request of an engine's needs; the largest are answers that authorization plugins see, in base64. */
const maxRequestBytes = 32 * 1024 * 1024;

export interface Answering {
  /** Calls under way are kept here, each until its answer has left. */
  underWay: Set<Promise<void>>;
  statistics: CallStatistics;
  pages: Pages;
  callLog: CallLog;
  /** Aborts every call under way. */
  signal: AbortSignal;
  /** Ends answers that are streams: one that follows a log would never end by itself. */
  streamSignal: AbortSignal;
  isStopping: () => boolean;
  log: Logger;
}

/** HTTP in front of a dispatcher: POST of JSON, JSON back; and pages by GET. */
export function answering(dispatcher: Dispatcher, answers: Answering): RequestListener {
  const { underWay, log } = answers;
  const calls = departuresOf(answers.signal);
  const streams = departuresOf(answers.streamSignal);
  const settings = { ...answers, calls, streams };
  return (request, response) => {
    const call = answer(dispatcher, request, response, settings)
      .catch((error) => {
        log.warn('a call could not be answered', { path: request.url, error: messageOf(error) });
        response.destroy();
      })
      .finally(() => underWay.delete(call));
    underWay.add(call);
  };
}

/** Those that leave when the signal is aborted. A listener of each would be a tenth of what a short call costs. */
function departuresOf(signal: AbortSignal): Set<Departure> {
  const all = new Set<Departure>();
  signal.addEventListener('abort', () => {
    for (const one of all) one.abort();
  });
  return all;
}

interface Calls {
  calls: Set<Departure>;
  streams: Set<Departure>;
}

async function answer(
  dispatcher: Dispatcher,
  request: IncomingMessage,
  response: ServerResponse,
  { statistics, pages, callLog, streamSignal, isStopping, calls, streams }: Answering & Calls,
): Promise<void> {
  const gone = new Departure();
  const over = new Promise<void>((resolve) =>
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
      resolve();
    }),
  );
  const path = (request.url ?? '').replace(/[?#].*$/, '');
  if (request.method !== 'POST') {
    const page = await pages.answer(path);
    send(response, page, page.type, isStopping());
    return await over;
  }
  const isStream = dispatcher.takesStream(path);
  const text = isStream ? String(request.headers[messageHeader] ?? '') : await readBody(request);
  const call = statistics.begin(path);
  if (text === undefined) {
    const refusal = { status: 413, text: `a request may have ${maxRequestBytes} bytes` };
    send(response, refusal, plainText, true);
    callLog.ended(path, statistics.end(call, 'bad_request'), refusal);
    return await over;
  }
  calls.add(gone);
  let result: Result = 'ok';
  let failure: Reply | Error | undefined;
  try {
    const context = isStream ? { signal: gone.signal, body: request } : gone;
    const reply = await dispatcher.serve(path, text, context);
    if ('text' in reply) {
      result = resultOf(reply);
      if (result !== 'ok') failure = reply;
      send(response, reply, reply.text.startsWith('{') ? pluginMediaType : plainText, isStopping());
    } else {
      streams.add(gone);
      if (streamSignal.aborted) gone.abort();
      await stream(response, reply);
    }
  } catch (error) {
    // A stream that broke: its reader is told by the cut. A stream that nobody reads has just ended.
    response.destroy();
    if (!gone.signal.aborted) {
      result = 'error';
      failure = error instanceof Error ? error : new Error(String(error));
    }
  } finally {
    calls.delete(gone);
    streams.delete(gone);
    callLog.ended(path, statistics.end(call, result), failure);
  }
  await over;
}

/** Reads the dispatcher's status; a handler's own failure is always 500. */
function resultOf({ status }: Reply): Result {
  if (status === 200) return 'ok';
  if (status === 400) return 'bad_request';
  return status === 404 ? 'unknown_method' : 'error';
}

/**
 * The body as text; undefined when it is too large. By events: an iterator is a good part of what a short call costs.
 */
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
    request.on('error', reject);
  });
}

async function stream(response: ServerResponse, { stream }: StreamReply): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
  // The caller waits for the head, and perhaps sends nothing before.
  response.flushHeaders();
  await pipeline(owned(Readable.from(stream)), response);
}

/** @param last the connection ends with this answer, so that no further call comes on it */
function send(response: ServerResponse, { status, text }: Reply, type: string, last: boolean): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    ...(last ? { Connection: 'close' } : {}),
  });
  response.end(text);
}
