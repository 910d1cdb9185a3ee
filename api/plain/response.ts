import { type OutgoingHttpHeaders, STATUS_CODES, validateHeaderValue } from 'node:http';
import type { Socket } from 'node:net';
import type { ApiResponse } from '../http/messages.js';

/**
 * The answer to a plain request, on a connection that stays: the bytes that Node would send, in one write. Only whole
 * answers are given in this way.
 */
export class PlainResponse implements ApiResponse {
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  readonly #socket: Socket;
  readonly #method: string;
  readonly #onSent: () => void;
  /** By names in lower case; each with its name as it is sent. */
  readonly #headers = new Map<string, readonly [name: string, value: string]>();

  /** @param onSent the kernel has all of it, or the connection has failed */
  constructor(socket: Socket, method: string, onSent: () => void) {
    this.#socket = socket;
    this.#method = method;
    this.#onSent = onSent;
  }

  get socket(): Socket | null {
    return this.writableEnded || this.#socket.destroyed ? null : this.#socket;
  }

  setHeader(name: string, value: string): void {
    validateHeaderValue(name, value);
    this.#headers.set(name.toLowerCase(), [name, value]);
  }

  removeHeader(name: string): void {
    this.#headers.delete(name.toLowerCase());
  }

  getHeaders(): OutgoingHttpHeaders {
    return Object.fromEntries([...this.#headers].map(([name, [, value]]) => [name, value]));
  }

  writeHead(status: number, headers: OutgoingHttpHeaders): void {
    this.statusCode = status;
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) this.setHeader(name, String(value));
    this.headersSent = true;
  }

  end(body: Buffer = nothing): void {
    if (this.writableEnded) return;
    this.headersSent = true;
    this.writableEnded = true;
    const sent = this.#method === 'HEAD' ? nothing : body;
    const head = this.#head(body.length);
    const bytes = Buffer.allocUnsafe(head.length + sent.length);
    bytes.write(head, 'latin1');
    sent.copy(bytes, head.length);
    let done = false;
    const onSent = (): void => {
      if (!done) this.#onSent();
      done = true;
    };
    this.#socket.write(bytes, onSent);
    // The kernel often takes all of it at once: then nobody waits.
    if (this.#socket.writableLength === 0) onSent();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #head(length: number): string {
    let head = `HTTP/1.1 ${this.statusCode} ${STATUS_CODES[this.statusCode] ?? 'unknown'}\r\n`;
    for (const [name, value] of this.#headers.values()) head += `${name}: ${value}\r\n`;
    head += `Date: ${date()}\r\nConnection: keep-alive\r\n`;
    const isFramed = this.#headers.has('content-length') || this.statusCode === 204 || this.statusCode === 304;
    return `${head}${isFramed ? '' : `Content-Length: ${length}\r\n`}\r\n`;
  }
}

const nothing = Buffer.alloc(0);

let second = 0;
let text = '';

/** The time for a Date header, made once in a second. */
function date(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    text = new Date(now * 1000).toUTCString();
  }
  return text;
}
