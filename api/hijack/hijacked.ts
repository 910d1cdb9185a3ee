import type { Socket } from 'node:net';
import { setInterval, setTimeout } from '@cleat/protocol/guard';
import { writeTo } from '../streams/write.js';
import { type ConnectionInput, rawInput } from './input.js';
import { decodeFrames, encodeFrame } from './websocket.js';

/** How long a client may take to close its side after ours is closed. */
const lingerMs = 10_000;
/** How soon a client is missed that went without a word. */
const probeMs = 1000;

/** A connection that was taken over: bytes both ways. */
export interface HijackedConnection {
  /** What the client sends, already without transfer coding; ends at its half-close. */
  readonly input: AsyncIterable<Buffer>;
  /** Nobody reads {@link input} any more; keeps noticing when the client goes. */
  discardInput(): void;
  /** Waits while the client is slow. @returns false when it has gone. */
  write(data: Uint8Array): Promise<boolean>;
  /** The output is complete. */
  end(): void;
  /** Calls `listener` once the client has gone (or now); returns the way to forget it. */
  onClose(listener: () => void): () => void;
  readonly closed: boolean;
}

/** Raw bytes; `chunks` is the input when it is not simply what comes. */
export function rawConnection(
  socket: Socket,
  input: ConnectionInput,
  chunks?: AsyncIterable<Buffer>,
): HijackedConnection {
  return {
    ...common(socket, input),
    input: chunks ?? rawInput(input),
    write: (data) => writeTo(socket, data),
    end: () => closeGently(socket, input),
  };
}

/** WebSocket frames; before API 1.28 output was sent as text. */
export function webSocketConnection(
  socket: Socket,
  input: ConnectionInput,
  kind: 'text' | 'binary',
): HijackedConnection {
  return {
    ...common(socket, input),
    input: decodeFrames(input, (reply) => void socket.write(reply)),
    write: (data) => writeTo(socket, encodeFrame(kind, data)),
    end() {
      if (socket.writable) socket.write(encodeFrame('close', Buffer.from([0x03, 0xe8])));
      closeGently(socket, input);
    },
  };
}

function common(
  socket: Socket,
  input: ConnectionInput,
): Pick<HijackedConnection, 'discardInput' | 'onClose' | 'closed'> {
  return {
    discardInput: () => input.discard(),
    onClose(listener) {
      if (socket.destroyed) listener();
      else socket.once('close', listener);
      const stop = probeAfterHalfClose(socket);
      return () => {
        stop();
        socket.removeListener('close', listener);
      };
    },
    get closed() {
      return socket.destroyed;
    },
  };
}

/**
 * A client that half-closes (every attach without input does) looks like one that is gone, and a silent container would
 * keep its connection for ever. Writing nothing tells the two apart on a UNIX socket: EPIPE, and the connection closes.
 */
function probeAfterHalfClose(socket: Socket): () => void {
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    timer = setInterval(() => {
      if (socket.writableLength === 0 && socket.writable) socket.write('');
    }, probeMs).unref();
  };
  if (socket.readableEnded) start();
  else socket.once('end', start);
  return () => {
    clearInterval(timer);
    socket.removeListener('end', start);
  };
}

/**
 * Half-closes, then reads on until the client closes too: closing with unread input would reset the connection, and the
 * client might lose the last output.
 */
export function closeGently(socket: Socket, input: ConnectionInput): void {
  input.discard();
  socket.end();
  if (socket.readableEnded) return;
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('end', () => socket.destroySoon());
  socket.once('close', () => clearTimeout(timer));
}
