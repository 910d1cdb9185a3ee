import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { Reply } from '@cleat/protocol/answer';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { asciiJson, messageHeader, pluginMediaType } from '@cleat/protocol/dispatch';
import { messageOf } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { readable } from '@cleat/protocol/untrusted';
import { type Address, addressText } from './address.js';
import { type Carrier, TransportError } from './carrier.js';
import { connectOptions, isSecure } from './connect.js';

/** More than any answer needs; a plugin that sends more is broken or hostile. */
const maxAnswerBytes = 16 * 1024 * 1024;

/** Connections at once: an extension that hangs must not use up what the process may open, and others need. */
const maxConnections = 256;

/** How long a connection that nobody uses is kept, in ms. */
const keptMs = 10_000;

/** Loaded by the first extension that speaks TLS, which few do. */
const https = () => process.getBuiltinModule('node:https');

/**
 * Docker's plugin protocol: HTTP/1.1 POST of JSON over a UNIX, TCP or TLS socket.
 *
 * Messages share a kept connection, which the plugin may close at any time. A message that may not arrive twice shares
 * it only with a plugin that keeps connections indeed, and on a UNIX socket, where the kernel tells whether a message had
 * been read by then; else it has a connection of its own, which costs less than the doubt whether a Mount was done.
 */
export class SocketCarrier implements Carrier {
  readonly #address: Address;
  readonly #connect: RequestOptions;
  readonly #secure: boolean;
  readonly #kept: HttpAgent;
  readonly #open = new Set<ClientRequest>();
  readonly #turns = new Semaphore(maxConnections);
  /** It has answered on a connection that had served before. */
  #keeps = false;
  #closed = false;

  /** @throws InvalidParameter when the TLS files cannot be read; Error for what is in them */
  constructor(address: Address) {
    this.#address = address;
    this.#secure = isSecure(address);
    this.#kept = new (this.#secure ? https().Agent : HttpAgent)({
      keepAlive: true,
      maxFreeSockets: 1,
      timeout: keptMs,
    });
    this.#connect = connectOptions(address);
  }

  async call(path: string, body: string, signal: AbortSignal, repeatable = false): Promise<Reply> {
    const shares = repeatable || (this.#keeps && this.#address.type === 'unix');
    if (!shares) return await this.#ask(path, body, signal);
    try {
      return await this.#ask(path, body, signal, this.#kept);
    } catch (error) {
      // The kept connection was closed at the other end meanwhile, which says nothing about who listens there now.
      if (!(error instanceof TransportError && error.stale)) throw error;
      this.#keeps = false;
      if (repeatable || !error.sent) return await this.#ask(path, body, signal);
      throw error;
    }
  }

  async stream(path: string, body: string, signal: AbortSignal, upload?: AsyncIterable<Uint8Array>) {
    const { response, done } = await this.#post(path, body, signal, undefined, upload);
    response.once('close', done);
    if (response.statusCode === 200) return { stream: response as AsyncIterable<Uint8Array> };
    return { status: response.statusCode ?? 0, text: await this.#readAll(response, signal) };
  }

  /** One request in its caller's own words, on a connection of its own: for who passes on what somebody else said. */
  request(options: Pick<RequestOptions, 'method' | 'path' | 'headers' | 'agent'>): ClientRequest {
    return (this.#secure ? https().request : httpRequest)({ ...this.#connect, agent: false, ...options });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#kept.destroy();
    for (const request of this.#open) request.destroy();
  }

  async #ask(path: string, body: string, signal: AbortSignal, kept?: HttpAgent): Promise<Reply> {
    const ended = await this.#turns.take(signal);
    try {
      const { response, done } = await this.#post(path, body, signal, kept);
      try {
        return { status: response.statusCode ?? 0, text: await this.#readAll(response, signal) };
      } finally {
        done();
        // Another caller may wait for this very connection to end.
        if (this.#open.size > 0) this.#closeIdle();
      }
    } finally {
      ended();
    }
  }

  #post(
    path: string,
    body: string,
    signal: AbortSignal,
    kept?: HttpAgent,
    upload?: AsyncIterable<Uint8Array>,
  ): Promise<{ response: IncomingMessage; done: () => void }> {
    // A plugin may serve one connection after the other: an idle one must not keep this from its turn.
    if (!kept) this.#closeIdle();
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      // It waited for its turn meanwhile.
      if (this.#closed) throw new TransportError('the way to it was closed', { fault: 'broken', sent: false });
      let connected = false;
      const request = this.request({
        method: 'POST',
        path,
        agent: kept ?? false,
        headers: {
          Accept: pluginMediaType,
          ...(upload
            ? { 'Content-Type': 'application/octet-stream', [messageHeader]: asciiJson(body) }
            : { 'Content-Type': pluginMediaType, 'Content-Length': Buffer.byteLength(body) }),
        },
      });
      this.#open.add(request);
      const onAbort = () => request.destroy(new Error('aborted'));
      const done = () => {
        signal.removeEventListener('abort', onAbort);
        this.#open.delete(request);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      request.once('socket', (socket) => {
        if (request.reusedSocket) connected = true;
        else {
          socket.once(this.#secure ? 'secureConnect' : 'connect', () => {
            connected = true;
          });
        }
      });
      request.once('response', (response) => {
        if (request.reusedSocket) this.#keeps = true;
        resolve({ response, done });
      });
      // Such a request is over, and says so nowhere else.
      request.once('upgrade', (_response, socket) => {
        socket.destroy();
        done();
        reject(new TransportError('a change to another protocol', { fault: 'misbehaving', sent: true }));
      });
      // Stays for the request's life: a late error after the response must not end the process.
      request.on('error', (error) => {
        done();
        const stale = request.reusedSocket;
        const sent = connected && !(stale && this.#wasUnread(error));
        reject(signal.aborted ? signal.reason : this.#failure(error, sent, stale));
      });
      // Its own errors are those of the request.
      if (upload) pipeline(owned(Readable.from(upload)), request, () => {});
      else request.end(body);
    });
  }

  async #readAll(response: IncomingMessage, signal: AbortSignal): Promise<string> {
    try {
      return await readText(response);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw error instanceof TransportError ? error : this.#failure(error, true);
    }
  }

  #closeIdle(): void {
    for (const sockets of Object.values(this.#kept.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  /**
   * A UNIX socket whose other end was closed refuses what is written (EPIPE), and breaks with an error when the other
   * end was closed with something in it (ECONNRESET of the system's, which node's parser uses for an ordinary end,
   * too).
   */
  #wasUnread(error: unknown): boolean {
    if (this.#address.type !== 'unix' || !(error instanceof Error) || !('code' in error && 'syscall' in error))
      return false;
    return error.code === 'EPIPE' || error.code === 'ECONNRESET';
  }

  #failure(error: unknown, sent: boolean, stale = false): TransportError {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const where = addressText(this.#address);
    const why = readable(messageOf(error), 300);
    // The texts of Node's parser.
    if (code.startsWith('HPE_')) {
      const what =
        code === 'HPE_HEADER_OVERFLOW' ? 'headers that are too large' : `something that is not HTTP (${why})`;
      return new TransportError(what, { fault: 'misbehaving', sent: true, cause: error });
    }
    const fault = !sent && absentCodes.has(code) ? 'absent' : 'broken';
    const what =
      code === 'ECONNREFUSED'
        ? `nobody listens at ${where}`
        : code === 'ENOENT'
          ? `there is no socket at ${where}`
          : sent
            ? `the connection to ${where} broke (${why})`
            : `cannot connect to ${where} (${why})`;
    return new TransportError(what, { fault, sent, stale, cause: error });
  }
}

/** Without an async iterator, which costs as much as the whole call otherwise. */
function readText(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    response.on('data', (chunk: Uint8Array) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= maxAnswerBytes) return;
      response.destroy();
      reject(new TransportError(`more than ${maxAnswerBytes} bytes`, { fault: 'misbehaving', sent: true }));
    });
    response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    response.on('error', reject);
    // After an end or an error nobody hears of it.
    response.on('close', () => reject(new Error('it ended before its answer did')));
  });
}

const absentCodes = new Set(['ECONNREFUSED', 'ENOENT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'EAGAIN']);
