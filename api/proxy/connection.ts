import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { endOfHead } from '../hijack/head.js';
import { ConnectionInput } from '../hijack/input.js';
import { aheadBytes, writeAhead } from '../streams/write.js';
import { type AnswerHead, readAnswerHead } from './answer.js';

/** Bytes of an answer's head; an engine's is far smaller. */
const maxHead = 64 * 1024;

/** One connection to the upstream, on which requests follow each other. */
export class UpstreamConnection {
  readonly socket: Socket;
  #input: ConnectionInput;
  #error: Error | undefined;
  /** It has answered before. */
  isReused = false;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#input = new ConnectionInput(socket, Buffer.alloc(0));
    socket.on('error', (error) => {
      this.#error = error;
    });
  }

  get isUsable(): boolean {
    return !this.socket.destroyed && this.socket.writable && !this.socket.readableEnded;
  }

  write(data: Buffer): Promise<boolean> {
    return writeAhead(this.socket, data);
  }

  /** The next answer's head; `100 Continue` and its like are passed over. @throws Unavailable */
  async readHead(method: string): Promise<AnswerHead> {
    let held: Buffer = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.#input.next();
      if (chunk === undefined) {
        const why = this.#error ? `: ${messageOf(this.#error)}` : '';
        throw unavailable(`the engine behind the proxy closed the connection without an answer${why}`);
      }
      held = held.length > 0 ? Buffer.concat([held, chunk]) : chunk;
      for (let end = endOfHead(held); end >= 0; end = endOfHead(held)) {
        const head = readAnswerHead(held.subarray(0, end), method);
        held = held.subarray(end);
        if (head.status >= 200 || head.status === 101) {
          this.#input.unread(held);
          return head;
        }
      }
      if (held.length > maxHead) throw unavailable('the head of the answer of the engine behind the proxy has no end');
    }
  }

  /** The bytes of the answer's body as they come, in the coding that its head names. @throws Unavailable if cut off */
  async *readBody({ frame }: AnswerHead): AsyncGenerator<Buffer> {
    while (!frame?.complete) {
      const chunk = await this.#input.next();
      if (chunk === undefined) {
        if (!frame && !this.#error) return;
        throw unavailable('the engine behind the proxy ended in the middle of its answer');
      }
      const length = frame ? frame.take(chunk) : chunk.length;
      if (length < chunk.length) this.#input.unread(chunk.subarray(length));
      yield chunk.subarray(0, length);
    }
  }

  /**
   * The same bytes into a stream, without a turn of the event loop for each piece: as fast as they come, until more is on
   * its way than the reader takes. @returns false when the reader has gone @throws Unavailable if the answer is cut off
   */
  async pumpBody({ frame }: AnswerHead, target: Writable): Promise<boolean> {
    if (frame?.complete) return true;
    const socket = this.#input.handOver();
    const outcome = await new Promise<'done' | 'gone' | 'cut'>((resolve) => {
      const end = (how: 'done' | 'gone' | 'cut'): void => {
        socket.off('data', onData).off('end', onEnd).off('close', onEnd);
        target.off('drain', onDrain).off('close', onGone);
        socket.pause();
        resolve(how);
      };
      const onData = (chunk: Buffer): void => {
        const length = frame ? frame.take(chunk) : chunk.length;
        if (length < chunk.length) socket.unshift(chunk.subarray(length));
        target.write(length < chunk.length ? chunk.subarray(0, length) : chunk);
        if (frame?.complete) end('done');
        else if (target.writableLength > aheadBytes) socket.pause();
      };
      const onEnd = (): void => end(frame || this.#error ? 'cut' : 'done');
      const onDrain = (): void => void socket.resume();
      const onGone = (): void => end('gone');
      if (target.destroyed) return end('gone');
      if (socket.readableEnded || socket.destroyed) return onEnd();
      socket.on('data', onData).on('end', onEnd).on('close', onEnd);
      target.on('drain', onDrain).on('close', onGone);
      socket.resume();
    });
    this.#input = new ConnectionInput(socket, Buffer.alloc(0));
    if (outcome === 'cut') throw unavailable('the engine behind the proxy ended in the middle of its answer');
    return outcome === 'done';
  }

  /** All that comes, once the connection was upgraded; ends with the upstream's half-close, or with the connection. */
  nextRaw(): Promise<Buffer | undefined> {
    return this.#input.next();
  }

  destroy(): void {
    this.socket.destroy();
  }
}
