import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout } from '@cleat/protocol/guard';
import { endOfHead, type Head, parseHead, rewriteHead } from './head.js';

/** Bytes of a head; credentials and proxies' headers make it large at times. */
export const maxHeadBytes = 64 * 1024;
const headDeadlineMs = 60_000;

/** What the front tells of a hijacked request. */
export interface Upgrade {
  /** The client itself asked for an upgrade, so 101 is its answer; otherwise 200. */
  readonly asked: boolean;
}

export interface FrontOptions {
  readonly server: Server;
  /** The request wants the connection itself, in whatever way it asks. */
  hijacks(head: Head): 'raw' | 'websocket' | undefined;
  onUpgrade(request: IncomingMessage, socket: Socket, rest: Buffer, upgrade: Upgrade): void;
}

/**
 * Stands between a connection and Node's HTTP parser, because only an upgrade detaches that parser: taken over in any
 * other way, a connection's further bytes (a terminal's input!) would be parsed, and dispatched, as requests. So each
 * head is held back until it is complete; one that will be hijacked is made an upgrade, whether its client asked for
 * one or not, and an upgrade to anything else (h2c) is made an ordinary request. Works for every request of a
 * connection that is kept alive, not only for the first. A hijacking request that was pipelined behind an unfinished
 * one reaches the ordinary handler, which must refuse it.
 * @returns what accepts a new connection.
 */
export function createFront(options: FrontOptions): (socket: Socket) => void {
  const { server } = options;
  const states = new WeakMap<object, State>();

  server.prependListener('request', (request) => {
    const state = states.get(request.socket);
    if (state) state.current = request;
  });
  server.on('upgrade', (request, socket: Socket, rest) => {
    const state = states.get(socket);
    if (!state) return void socket.destroy();
    state.release();
    options.onUpgrade(request, socket, rest, { asked: state.asked });
  });

  return (socket) => {
    server.emit('connection', socket);
    // Node's listener feeds its parser; from here on it is fed by us. Adding a listener also makes Node give up its
    // direct reading from the handle.
    const feeders = socket.listeners('data') as ((chunk: Buffer) => void)[];
    for (const feeder of feeders) socket.removeListener('data', feeder);
    const feed = (chunk: Buffer): void => {
      for (const feeder of feeders) feeder.call(socket, chunk);
    };
    let pending: Buffer | undefined;
    let timer: NodeJS.Timeout | undefined;

    const state: State = {
      asked: false,
      current: undefined,
      release() {
        clearTimeout(timer);
        socket.removeListener('data', onData);
      },
    };

    function onData(chunk: Buffer): void {
      // Inside a body nothing is looked at.
      if (state.current && !state.current.complete) {
        feed(chunk);
        return;
      }
      const bytes = pending ? Buffer.concat([pending, chunk]) : chunk;
      const end = endOfHead(bytes);
      if (end < 0) {
        if (bytes.length > maxHeadBytes) {
          socket.end('HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n');
          socket.destroySoon();
          return;
        }
        pending = bytes;
        timer ??= setTimeout(() => socket.destroy(), headDeadlineMs).unref();
        return;
      }
      pending = undefined;
      clearTimeout(timer);
      timer = undefined;
      feed(prepare(bytes, end));
    }

    function prepare(bytes: Buffer, end: number): Buffer {
      const head = parseHead(bytes.subarray(0, end));
      const kind = options.hijacks(head);
      if (kind === 'websocket') return bytes;
      if (kind === undefined && head.upgrade === undefined) return bytes;
      state.asked = head.upgrade !== undefined;
      return Buffer.concat([rewriteHead(head, kind === 'raw'), bytes.subarray(end)]);
    }

    states.set(socket, state);
    socket.on('data', onData);
    socket.once('close', () => clearTimeout(timer));
  };
}

interface State {
  asked: boolean;
  current: IncomingMessage | undefined;
  release(): void;
}
