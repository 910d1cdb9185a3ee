import type { Socket } from 'node:net';
import { setInterval } from '@cleat/protocol/guard';

/** How soon a client is missed that went without a word. */
const everyMs = 1000;

/**
 * A client that is gone looks like one that half-closed (every attach without input does), or, while its input waits
 * for a process that does not read, like one that is there; a silent container would keep its connection for ever.
 * Writing nothing tells them apart on a UNIX socket: EPIPE, and the connection closes. @returns what ends it
 */
export function probe(socket: Socket): () => void {
  return every(socket, () => {
    if (socket.writableLength === 0 && socket.writable) socket.write('');
  });
}

/**
 * The same for a socket that HTTP/2 has. It writes past Node's stream, and takes the end of each write that does not end
 * at once for the end of its own; one that it did not begin ends this process. So nothing is written while the kernel
 * has not taken everything, and nothing at all on TLS, where an empty write never ends at once.
 */
export function probeBehindHttp2(socket: Socket): void {
  if ('encrypted' in socket) return;
  every(socket, () => {
    if (isFlushed(socket) && socket.writable) socket.write('');
  });
}

/**
 * Waits until all that was written is with the kernel, as it must be before HTTP/2 takes the socket.
 * @returns false when the client has gone
 */
export function flushed(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.write('', (error) => resolve(!error && !socket.destroyed));
  });
}

/** Node.js tells the bytes that wait by a name that is not public; where it tells nothing, they may be many. */
function isFlushed(socket: Socket): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  return typeof handle === 'object' && handle !== null && Reflect.get(handle, 'writeQueueSize') === 0;
}

function every(socket: Socket, look: () => void): () => void {
  const timer = setInterval(look, everyMs).unref();
  const stop = (): void => {
    clearInterval(timer);
    socket.off('close', stop);
  };
  socket.once('close', stop);
  return stop;
}
