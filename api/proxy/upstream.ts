import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { unavailable } from '@cleat/protocol/errors';
import { aheadBytes } from '../streams/write.js';
import { type AnswerHead, dechunked } from './answer.js';
import { UpstreamConnection } from './connection.js';
import { addressText, dial, type UpstreamAddress } from './dial.js';

export interface UpstreamRequest {
  readonly method: string;
  /** With version and query. */
  readonly target: string;
  /** Without those that say how the body is framed, and without Host. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Buffer | StreamedBody | RelayedBody | undefined;
  /** The protocol to which the connection is to be upgraded. */
  readonly upgrade?: string | undefined;
  /** For a client that knows no chunks: the answer ends with the connection. */
  readonly isOld?: boolean;
  /** Aborted when nobody waits for the answer any longer. */
  readonly signal: AbortSignal;
}

/** It goes in chunks unless its length is known. */
interface StreamedBody {
  readonly stream: Readable;
  readonly length: number | undefined;
}

/** It writes itself, in chunks, and resolves when the last one is written. */
interface RelayedBody {
  relay(target: Writable): Promise<void>;
}

/** An answer whose body is on its way. Its reader must come to the end of {@link body}, or call {@link abandon}. */
export interface UpstreamAnswer extends AnswerHead {
  /** Without transfer coding. A reader that stops ends the connection. @throws Unavailable if it is cut off */
  body(): AsyncGenerator<Buffer>;
  /** Into a stream, in the transfer coding that came. @returns false when its reader has gone */
  pump(target: Writable): Promise<boolean>;
  /** The whole of it; undefined when it is longer than `limit` bytes. @throws Unavailable */
  whole(limit: number): Promise<Buffer | undefined>;
  /** Status 101: the connection, which is its taker's from now on. */
  takeOver(): UpstreamConnection;
  abandon(): void;
}

/** Connections that wait for the next request. */
const maxIdle = 32;

/** Asks one engine, over connections that are used again. */
export class Upstream {
  readonly text: string;
  readonly #address: UpstreamAddress;
  readonly #idle: UpstreamConnection[] = [];
  readonly #all = new Set<UpstreamConnection>();

  constructor(address: UpstreamAddress) {
    this.#address = address;
    this.text = addressText(address);
  }

  /** @throws Unavailable when it cannot be reached, or gives no answer */
  async send(request: UpstreamRequest): Promise<UpstreamAnswer> {
    const connection = await this.#connection();
    try {
      return await this.#ask(connection, request);
    } catch (error) {
      connection.destroy();
      // A connection that the engine closed while it was idle: a client that only asks may ask again.
      const isSafe = (request.method === 'GET' || request.method === 'HEAD') && request.body === undefined;
      if (!connection.isReused || !isSafe || request.signal.aborted) throw error;
    }
    const fresh = await this.#connect();
    try {
      return await this.#ask(fresh, request);
    } catch (error) {
      fresh.destroy();
      throw error;
    }
  }

  /** A short question of the proxy's own. @returns the JSON, undefined for any answer but 200 @throws Unavailable */
  async json(target: string, signal: AbortSignal, limit: number): Promise<unknown> {
    const answer = await this.send({ method: 'GET', target, headers: [], signal });
    const body = await answer.whole(limit);
    if (body === undefined) throw unavailable(`the answer to ${target} is longer than ${limit} bytes`);
    return answer.status === 200 ? JSON.parse(body.toString()) : undefined;
  }

  close(): void {
    for (const connection of this.#all) connection.destroy();
  }

  async #ask(connection: UpstreamConnection, request: UpstreamRequest): Promise<UpstreamAnswer> {
    const { signal, body, method } = request;
    const onAbort = (): void => connection.destroy();
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    const forget = (): void => signal.removeEventListener('abort', onAbort);
    try {
      let isSent = true;
      if (body === undefined || Buffer.isBuffer(body)) {
        await connection.write(Buffer.concat([headOf(request), body ?? Buffer.alloc(0)]));
      } else {
        isSent = false;
        await connection.write(headOf(request));
        // The answer tells how it ends: an engine may refuse a body that it has not read.
        const sent = 'relay' in body ? body.relay(connection.socket) : sendStream(connection, body);
        sent.then(
          () => (isSent = true),
          () => connection.destroy(),
        );
      }
      const head = await connection.readHead(method);
      return this.#answer(connection, head, { forget, isSent: () => isSent });
    } catch (error) {
      forget();
      throw error;
    }
  }

  #answer(
    connection: UpstreamConnection,
    head: AnswerHead,
    { forget, isSent }: { forget: () => void; isSent: () => boolean },
  ): UpstreamAnswer {
    const release = (): void => {
      forget();
      const isKept = head.isKept && isSent() && connection.isUsable && this.#idle.length < maxIdle;
      if (isKept) {
        connection.isReused = true;
        this.#idle.push(connection);
      } else {
        connection.destroy();
      }
    };
    const abandon = (): void => {
      forget();
      connection.destroy();
    };
    async function* coded(): AsyncGenerator<Buffer> {
      let isWhole = false;
      try {
        yield* connection.readBody(head);
        isWhole = true;
      } finally {
        if (isWhole) release();
        else abandon();
      }
    }
    const body = (): AsyncGenerator<Buffer> => (head.isChunked ? dechunked(coded()) : coded());
    return {
      ...head,
      body,
      async pump(target) {
        let isWhole = false;
        try {
          isWhole = await connection.pumpBody(head, target);
        } finally {
          if (isWhole) release();
          else abandon();
        }
        return isWhole;
      },
      async whole(limit) {
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of body()) {
          chunks.push(chunk);
          size += chunk.length;
          if (size > limit) return undefined;
        }
        return Buffer.concat(chunks);
      },
      takeOver() {
        forget();
        return connection;
      },
      abandon,
    };
  }

  async #connection(): Promise<UpstreamConnection> {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) if (idle.isUsable) return idle;
    return await this.#connect();
  }

  async #connect(): Promise<UpstreamConnection> {
    const socket = await dial(this.#address);
    const connection = new UpstreamConnection(socket);
    this.#all.add(connection);
    socket.once('close', () => {
      this.#all.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    // Idle, it must be seen to end, and an engine that speaks unasked is out of step.
    socket.once('end', () => this.#idle.includes(connection) && connection.destroy());
    return connection;
  }
}

function headOf({ method, target, headers, body, upgrade, isOld }: UpstreamRequest): Buffer {
  const lines = [`${method} ${target} HTTP/1.${isOld ? 0 : 1}`, 'Host: docker'];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  if (upgrade !== undefined) lines.push('Connection: Upgrade', `Upgrade: ${upgrade}`);
  const length = body && 'length' in body ? body.length : undefined;
  if (length !== undefined) lines.push(`Content-Length: ${length}`);
  else if (body !== undefined) lines.push('Transfer-Encoding: chunked');
  // As Go's client: a request that could have a body says that it has none.
  else if (method !== 'GET' && method !== 'HEAD' && method !== 'DELETE') lines.push('Content-Length: 0');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Ends with the stream. Rejected where it fails, or the connection closes. */
function sendStream({ socket }: UpstreamConnection, { stream, length }: StreamedBody): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = (): void => void stream.resume();
    const onClose = (): void => void stream.destroy();
    socket.on('drain', onDrain).on('close', onClose);
    stream.once('close', () => {
      socket.off('drain', onDrain).off('close', onClose);
      reject(new Error('the request has ended before its body'));
    });
    stream.on('error', reject).on('end', () => {
      if (length === undefined) socket.write(lastChunk);
      resolve();
    });
    stream.on('data', (data: Buffer) => {
      if (socket.destroyed || data.length === 0) return;
      if (length === undefined) writeChunk(socket, data);
      else socket.write(data);
      if (socket.writableLength > aheadBytes) stream.pause();
    });
  });
}

function writeChunk(socket: Socket, data: Buffer): void {
  socket.cork();
  socket.write(`${data.length.toString(16)}\r\n`, 'latin1');
  socket.write(data);
  socket.write(lineEnd);
  socket.uncork();
}

const lineEnd = Buffer.from('\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');
