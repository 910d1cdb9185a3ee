import type { Socket } from 'node:net';
import { invalidParameter } from '@cleat/protocol/errors';

/**
 * Input of a connection that Node's parser has let go of: pulled chunk by chunk, so that a slow consumer
 * makes the client wait, and with bytes that can be put back.
 */
export class ConnectionInput {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #ended = false;
  #discarding = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, first: Buffer) {
    this.#socket = socket;
    if (first.length > 0) this.#chunks.push(first);
    this.#ended = socket.readableEnded || socket.destroyed;
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
    socket.on('data', this.#onData);
  }

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  readonly #onData = (chunk: Buffer): void => {
    if (this.#discarding) return;
    this.#chunks.push(chunk);
    this.#socket.pause();
    this.#wake?.();
  };

  /** Nothing is read here from now on: the socket is its new reader's, with what was read ahead put back. */
  handOver(): Socket {
    const socket = this.#socket;
    for (const event of ['end', 'close'] as const) socket.off(event, this.#onEnd);
    socket.off('data', this.#onData);
    socket.pause();
    const ahead = Buffer.concat(this.#chunks.splice(0));
    if (ahead.length > 0) socket.unshift(ahead);
    return socket;
  }

  /** The next bytes; undefined when the client has half-closed or gone. One caller at a time. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) return chunk;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#socket.resume();
      });
      this.#wake = undefined;
    }
  }

  unread(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.unshift(chunk);
  }

  /** Nobody wants the rest, but whether the client is still there can only be seen by reading. */
  discard(): void {
    this.#discarding = true;
    this.#chunks.length = 0;
    this.#socket.resume();
  }

  /** Exactly `length` bytes. @throws InvalidParameter when the client stops before. */
  async read(length: number): Promise<Buffer> {
    const bytes = await this.readUnlessEnded(length);
    if (bytes === undefined) throw invalidParameter('unexpected EOF');
    return bytes;
  }

  /** Exactly `length` bytes, in a buffer of their own; undefined when the client stops before. */
  async readUnlessEnded(length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const chunk = await this.next();
      if (chunk === undefined) return undefined;
      parts.push(chunk.subarray(0, missing));
      if (chunk.length > missing) this.unread(chunk.subarray(missing));
      missing -= Math.min(missing, chunk.length);
    }
    return Buffer.concat(parts);
  }

  /** A line without its CRLF. @throws InvalidParameter */
  async line(limit = 8192): Promise<string> {
    let bytes = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.next();
      if (chunk === undefined) throw invalidParameter('unexpected EOF');
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf(10);
      if (end >= 0) {
        this.unread(bytes.subarray(end + 1));
        return bytes.subarray(0, end).toString('latin1').replace(/\r$/, '');
      }
      if (bytes.length > limit) throw invalidParameter('malformed chunked encoding: line too long');
    }
  }
}

/** Decodes a body in chunked transfer coding, trailers included. @throws InvalidParameter */
export async function* decodeChunks(input: ConnectionInput): AsyncGenerator<Buffer> {
  for (;;) {
    const [size = ''] = (await input.line()).split(';');
    if (!/^[0-9a-f]{1,12}$/i.test(size.trim())) throw invalidParameter('malformed chunked encoding');
    let left = Number.parseInt(size, 16);
    if (left === 0) break;
    while (left > 0) {
      const chunk = await input.next();
      if (chunk === undefined) throw invalidParameter('unexpected EOF');
      if (chunk.length > left) input.unread(chunk.subarray(left));
      yield chunk.subarray(0, left);
      left -= Math.min(left, chunk.length);
    }
    if ((await input.line()) !== '') throw invalidParameter('malformed chunked encoding');
  }
  while ((await input.line()) !== '') {
    // Trailers mean nothing to us.
  }
}

/** All that comes, as it comes. */
export async function* rawInput(input: ConnectionInput): AsyncGenerator<Buffer> {
  for (let chunk = await input.next(); chunk !== undefined; chunk = await input.next()) yield chunk;
}

/** Returns what follows a body of `length` bytes, which is dropped. @throws InvalidParameter when it ends before */
export async function* inputBehind(input: ConnectionInput, length: number): AsyncGenerator<Buffer> {
  for (let left = length; left > 0; ) left -= (await input.read(Math.min(left, 65_536))).length;
  yield* rawInput(input);
}
