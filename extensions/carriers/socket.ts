import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { type Duplex, pipeline, Readable } from 'node:stream';
import type { Reply } from '@cleat/protocol/answer';
import type { Ending } from '@cleat/protocol/async/deadline';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { asciiJson, messageHeader, pluginMediaType } from '@cleat/protocol/dispatch';
import { owned } from '@cleat/protocol/guard';
import type { Address } from './address.js';
import { type CallOutcome, type Carrier, TransportError } from './carrier.js';
import { isSecure, type Ways, waysTo } from './connect.js';
import { transportFailure, wasUnread } from './failure.js';
import { Broken, KeptConnection, type Outcome, Over } from './kept/connection.js';

/** More than any answer needs; a plugin that sends more is broken or hostile. */
const maxAnswerBytes = 16 * 1024 * 1024;

/** Connections at once: an extension that hangs must not use up what the process may open, and others need. */
const maxConnections = 256;

/** A message, and how it may be sent. */
interface Message {
  readonly path: string;
  readonly body: string;
  readonly ending: Ending;
  readonly repeatable: boolean;
}

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
  readonly #ways: Ways;
  readonly #secure: boolean;
  /** The connection for the next message, while nobody uses it. */
  #kept: KeptConnection | undefined;
  readonly #open = new Set<{ destroy(): void }>();
  readonly #turns = new Semaphore(maxConnections);
  /** It has answered on a connection that had served before. */
  #keeps = false;
  #closed = false;

  /** @throws InvalidParameter when the TLS files cannot be read; Error for what is in them */
  constructor(address: Address) {
    this.#address = address;
    this.#secure = isSecure(address);
    this.#ways = waysTo(address);
  }

  async call(path: string, body: string, ending: Ending, repeatable = false): Promise<Reply> {
    const done = this.#turns.takeNow() ?? (await this.#turns.take(ending.signal));
    try {
      if (!this.#shares(repeatable)) return await this.#alone(path, body, ending.signal);
      return await this.#together({ path, body, ending, repeatable });
    } finally {
      this.#done(done);
    }
  }

  callNow(path: string, body: string, ending: Ending, repeatable: boolean, { answered, failed }: CallOutcome): boolean {
    if (this.#closed || !this.#kept || !this.#shares(repeatable)) return false;
    const done = this.#turns.takeNow();
    const connection = done && this.#takeKept();
    if (!connection) {
      done?.();
      return false;
    }
    this.#open.add(connection);
    connection.ask(path, body, ending, (outcome) => {
      if ('text' in outcome) {
        this.#answered(connection);
        this.#done(done);
        answered(outcome);
      } else {
        const told = this.#told(connection, { path, body, ending, repeatable }, outcome);
        told.finally(() => this.#done(done)).then(answered, failed);
      }
    });
    return true;
  }

  async stream(path: string, body: string, signal: AbortSignal, upload?: AsyncIterable<Uint8Array>) {
    const { response, done } = await this.#post(path, body, signal, { upload });
    response.once('close', done);
    if (response.statusCode === 200) return { stream: response as AsyncIterable<Uint8Array> };
    return { status: response.statusCode ?? 0, text: await this.#readAll(response, signal) };
  }

  /** One request in its caller's own words, on a connection of its own: for who passes on what somebody else said. */
  request(options: Pick<RequestOptions, 'method' | 'path' | 'headers' | 'createConnection'>): ClientRequest {
    const agent = options.createConnection ? undefined : false;
    return (this.#secure ? https().request : httpRequest)({ ...this.#ways.request, agent, ...options });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closeIdle();
    for (const one of this.#open) one.destroy();
  }

  /** Whether a message may share a connection. */
  #shares(repeatable: boolean): boolean {
    return repeatable || (this.#keeps && this.#address.type === 'unix');
  }

  #done(done: () => void): void {
    done();
    // Another caller may wait for this very connection to end.
    if (this.#open.size > 0) this.#closeIdle();
  }

  /** Asks on the kept connection, or on one that will be kept. */
  async #together(message: Message): Promise<Reply> {
    this.#refuseIfClosed();
    const connection = this.#takeKept() ?? new KeptConnection(this.#ways);
    this.#open.add(connection);
    const { path, body, ending } = message;
    const outcome = await new Promise<Outcome>((resolve) => connection.ask(path, body, ending, resolve));
    return await this.#told(connection, message, outcome);
  }

  #answered(connection: KeptConnection): void {
    if (connection.wasReused) this.#keeps = true;
    this.#open.delete(connection);
    this.#giveBack(connection);
  }

  /** The answer that an outcome means, or leads to. @throws what {@link call} does */
  async #told(connection: KeptConnection, message: Message, outcome: Outcome): Promise<Reply> {
    const { path, body, ending, repeatable } = message;
    try {
      if (outcome instanceof Over) throw outcome.reason;
      if (!(outcome instanceof Broken)) {
        if (connection.wasReused) this.#keeps = true;
        return 'text' in outcome ? outcome : await this.#alone(path, body, ending.signal, outcome);
      }
      const { error } = outcome;
      // The kept connection was closed at the other end meanwhile, which says nothing about who listens there now.
      const stale = connection.wasReused && !connection.wasAnswering;
      const sent = connection.wasConnected && !(stale && wasUnread(error, this.#address));
      if (stale) this.#keeps = false;
      if (!stale || (sent && !repeatable)) throw transportFailure(error, this.#address, sent);
    } finally {
      this.#open.delete(connection);
      this.#giveBack(connection);
    }
    return await this.#alone(path, body, ending.signal);
  }

  #takeKept(): KeptConnection | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    return kept?.isFree ? kept : undefined;
  }

  #giveBack(connection: KeptConnection): void {
    if (!this.#kept && !this.#closed && connection.isFree) this.#kept = connection;
    else connection.destroy();
  }

  /** @param asked a connection on which it was asked already, and has answered oddly */
  async #alone(path: string, body: string, signal: AbortSignal, asked?: Duplex): Promise<Reply> {
    const { response, done } = await this.#post(path, body, signal, { asked });
    try {
      return { status: response.statusCode ?? 0, text: await this.#readAll(response, signal) };
    } finally {
      done();
    }
  }

  #post(
    path: string,
    body: string,
    signal: AbortSignal,
    { asked, upload }: { asked?: Duplex | undefined; upload?: AsyncIterable<Uint8Array> | undefined },
  ): Promise<{ response: IncomingMessage; done: () => void }> {
    // A plugin may serve one connection after the other: an idle one must not keep this from its turn.
    this.#closeIdle();
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      this.#refuseIfClosed();
      let connected = asked !== undefined;
      const request = this.request({
        method: 'POST',
        path,
        ...(asked && { createConnection: () => asked }),
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
        socket.once(this.#ways.ready, () => {
          connected = true;
        });
      });
      request.once('response', (response) => resolve({ response, done }));
      // Such a request is over, and says so nowhere else.
      request.once('upgrade', (_response, socket) => {
        socket.destroy();
        done();
        reject(new TransportError('a change to another protocol', { fault: 'misbehaving', sent: true }));
      });
      // Stays for the request's life: a late error after the response must not end the process.
      request.on('error', (error) => {
        done();
        reject(signal.aborted ? signal.reason : transportFailure(error, this.#address, connected));
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
      throw error instanceof TransportError ? error : transportFailure(error, this.#address, true);
    }
  }

  /** It may have waited for its turn. */
  #refuseIfClosed(): void {
    if (this.#closed) throw new TransportError('the way to it was closed', { fault: 'broken', sent: false });
  }

  #closeIdle(): void {
    this.#kept?.destroy();
    this.#kept = undefined;
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
    // After an end nobody hears of it.
    const closed = () => {
      if (!response.complete) reject(new Error('it ended before its answer did'));
    };
    if (response.closed) closed();
    else response.on('close', closed);
  });
}
