import { once } from 'node:events';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { SocketCarrier } from '@cleat/extensions/carriers/socket';
import { messageOf } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';
import type { CallRecord } from './call-record.js';

/** As the SDK: more than any request of an engine needs. */
const maxRequestBytes = 32 * 1024 * 1024;

/** Headers of a connection, not of a message: the next connection has its own. */
const ofConnection = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'expect',
  'upgrade',
  'proxy-connection',
]);

/**
 * Takes one call to a plugin, and its answer back as it comes: status, headers and bodies as they are. Who hangs up is
 * hung up on at the other side; how long to wait is the caller's business. Never throws.
 */
export async function forward(
  carrier: SocketCarrier,
  request: IncomingMessage,
  response: ServerResponse,
  record: CallRecord,
): Promise<void> {
  const body = await bodyOfRequest(request);
  if (body === undefined) {
    if (!response.destroyed) response.writeHead(413, { Connection: 'close' }).end();
    return;
  }
  const path = (request.url ?? '/').replaceAll(/[^\x21-\x7e]/g, encodeURIComponent);
  const { accept, 'content-type': type } = request.headers;
  record.asked({ verb: request.method ?? 'POST', path, accept, type }, body);
  const gone = new AbortController();
  let plugin: ClientRequest | undefined;
  const onClose = () => {
    if (response.writableFinished) return;
    gone.abort();
    plugin?.destroy();
  };
  response.once('close', onClose);
  if (response.destroyed) onClose();
  try {
    gone.signal.throwIfAborted();
    plugin = carrier.request({ method: request.method, path, headers: headersOf(request, body) });
    const answer = await answerOf(plugin, body);
    record.answered(answer.statusCode ?? 0, answer.headers['content-type']);
    // We do not say what the plugin did not say.
    response.sendDate = false;
    response.writeHead(answer.statusCode ?? 0, answer.statusMessage, passedOn(answer.rawHeaders));
    // A client that follows a log waits for the head before there is a line.
    response.flushHeaders();
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      record.chunk(chunk);
      if (!response.write(chunk)) await once(response, 'drain', { signal: gone.signal });
    }
    // Known before the caller has it: what the caller asks next is written after it.
    record.ended();
    response.end();
  } catch (error) {
    if (gone.signal.aborted) {
      record.broke('caller');
      return;
    }
    const instead = packetOf(error);
    record.broke('plugin', readable(messageOf(error), 300), instead);
    if (instead && !response.headersSent) response.socket?.end(instead);
    else response.destroy();
  } finally {
    plugin?.destroy();
  }
}

/** @throws Error when none comes */
function answerOf(plugin: ClientRequest, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    plugin.once('response', resolve);
    plugin.once('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('a change to another protocol'));
    });
    // Stays: a late error after the response must not end the process.
    plugin.on('error', reject);
    plugin.once('close', () => reject(new Error('it hung up')));
    plugin.end(body);
  });
}

/** A request as a whole. @returns undefined when it is too large, or its sender hung up */
export async function bodyOfRequest(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxRequestBytes) return undefined;
      chunks.push(chunk);
    }
  } catch {
    // Nothing has been asked.
    return undefined;
  }
  return Buffer.concat(chunks);
}

function headersOf(request: IncomingMessage, body: Buffer): string[] {
  const headers = passedOn(request.rawHeaders);
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  return length === undefined && coding === undefined ? [...headers, 'Content-Length', `${body.length}`] : headers;
}

/** Names and values in turn, as node has them raw. */
function passedOn(raw: readonly string[]): string[] {
  return raw.filter((_, at) => !ofConnection.has((raw[at - (at % 2)] ?? '').toLowerCase()));
}

/** Returns an answer that is not HTTP: node's parser hands over the packet. */
function packetOf(error: unknown): Buffer | undefined {
  const packet: unknown = error instanceof Error && 'rawPacket' in error ? error.rawPacket : undefined;
  return Buffer.isBuffer(packet) ? packet : undefined;
}
