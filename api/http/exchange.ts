import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { decode, parseJson, type Static, stringify, type TSchema } from '@cleat/protocol/json';
import type { Logger } from '@cleat/protocol/log';
import type { HijackedConnection } from '../hijack/hijacked.js';
import type { Hijacker } from '../hijack/hijacker.js';
import { writeTo } from '../streams/write.js';
import { Query } from './query.js';
import { isBefore } from './version.js';

/** Bytes of a JSON body. */
const maxBodyBytes = 16 * 1024 * 1024;

/** How the client reached us; browsers can only use the unprotected `tcp`. */
export type Transport = 'unix' | 'tcp' | 'tls';

export interface ExchangeParts {
  request: IncomingMessage;
  response: ServerResponse;
  version: string;
  path: string;
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  transport: Transport;
  log: Logger;
  signal: AbortSignal;
  /** For a connection that can be taken over. */
  hijacker?: Hijacker;
}

/** One request and its answer, as handlers see them. */
export class Exchange {
  /** Names the request in the log. */
  readonly id = randomBytes(6).toString('hex');
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly headers: IncomingMessage['headers'];
  readonly query: Query;
  readonly transport: Transport;
  readonly log: Logger;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly #params: Readonly<Record<string, string>>;
  readonly #hijacker: Hijacker | undefined;

  constructor(parts: ExchangeParts) {
    this.method = parts.request.method ?? 'GET';
    this.path = parts.path;
    this.version = parts.version;
    this.headers = parts.request.headers;
    this.query = new Query(parts.query);
    this.transport = parts.transport;
    this.request = parts.request;
    this.response = parts.response;
    this.signal = parts.signal;
    this.log = parts.log.child({ request: this.id });
    this.#params = parts.params;
    this.#hijacker = parts.hijacker;
  }

  /** The client speaks an API older than `version`. */
  before(version: string): boolean {
    return isBefore(this.version, version);
  }

  param(name: string): string {
    const value = this.#params[name];
    if (value === undefined) throw systemError(`route has no parameter ${name}`);
    return value;
  }

  /**
   * The JSON body in a schema's shape; undefined when there is none. A body of another content type is refused, as
   * Docker does: it is what keeps a web page's form from being a request.
   * @throws InvalidParameter
   */
  async json<S extends TSchema>(schema: S, what: string): Promise<Static<S> | undefined> {
    const text = await this.#bodyText();
    if (text.trim() === '') return undefined;
    const type = this.headers['content-type'] ?? '';
    if (!/^application\/json\s*(;|$)/i.test(type)) {
      throw invalidParameter(
        type === ''
          ? 'malformed Content-Type header (): mime: no media type'
          : `unsupported Content-Type header (${type}): must be 'application/json'`,
      );
    }
    let value: unknown;
    try {
      value = parseJson(text);
    } catch (cause) {
      throw invalidParameter(`invalid JSON: ${messageOf(cause)}`, { cause });
    }
    try {
      return decode(schema, value, what);
    } catch (cause) {
      throw invalidParameter(`invalid JSON: ${messageOf(cause)}`, { cause });
    }
  }

  /**
   * The body as it comes. Whoever reads it may stop and destroy it: the connection lives on, for the answer, and what is
   * left of the body is read and dropped.
   */
  body(): Readable {
    if (this.#hijacker) return Readable.from(this.#hijacker.body());
    const { request } = this;
    const body = new PassThrough({ highWaterMark: 256 * 1024 });
    request.once('error', (error) => body.destroy(error));
    body.once('close', () => {
      request.unpipe(body);
      request.resume();
    });
    return request.pipe(body);
  }

  async #bodyText(): Promise<string> {
    const source: AsyncIterable<Buffer> = this.#hijacker
      ? this.#hijacker.body()
      : this.request.iterator({ destroyOnReturn: false });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of source) {
      size += chunk.length;
      if (size > maxBodyBytes) throw invalidParameter(`request body is larger than ${maxBodyBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  }

  /** Answers with JSON, ended by a line feed as Go's encoder does. */
  send(status: number, value: unknown): void {
    this.#sendText(status, 'application/json', `${stringify(value)}\n`);
  }

  /** JSON that is encoded already, with its line feed. */
  sendJson(status: number, body: Buffer): void {
    this.#sendBody(status, 'application/json', body);
  }

  sendText(status: number, text: string): void {
    this.#sendText(status, 'text/plain; charset=utf-8', text);
  }

  #sendText(status: number, type: string, text: string): void {
    // Encoded once; its length as text would have to be counted too.
    this.#sendBody(status, type, Buffer.from(text));
  }

  #sendBody(status: number, type: string, body: Buffer): void {
    this.response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length });
    this.response.end(this.method === 'HEAD' ? undefined : body);
  }

  sendEmpty(status: number): void {
    if (status !== 204) this.response.setHeader('Content-Length', 0);
    this.response.writeHead(status).end();
  }

  /** Sends the head at once, before there is anything to say. */
  begin(status: number, contentType: string): void {
    this.response.writeHead(status, { 'Content-Type': contentType });
    this.response.flushHeaders();
  }

  /** Part of an answer that was begun. @returns false when the client has gone. */
  write(data: string | Uint8Array): Promise<boolean> {
    return writeTo(this.response, data);
  }

  /** A value as a line of JSON. */
  writeLine(value: unknown): Promise<boolean> {
    return this.write(`${stringify(value)}\n`);
  }

  end(): void {
    this.response.end();
  }

  /** Streams a source as the whole answer; a failure of the source cuts the connection. */
  async pipe(contentType: string, source: Readable): Promise<void> {
    this.response.writeHead(200, { 'Content-Type': contentType });
    await pipeline(source, this.response);
  }

  /** Takes the connection over. Only on routes that are marked as hijacking. */
  hijack(contentType: string): HijackedConnection {
    return this.#mustHijack().hijack(contentType);
  }

  hijackWebSocket(kind: 'text' | 'binary'): HijackedConnection {
    return this.#mustHijack().hijackWebSocket(kind);
  }

  #mustHijack(): Hijacker {
    if (!this.#hijacker) throw systemError('the route is not marked as hijacking');
    return this.#hijacker;
  }
}
