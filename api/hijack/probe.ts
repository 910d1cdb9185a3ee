import type { Socket } from 'node:net';
import { setInterval } from '@cleat/protocol/guard';
import { descriptorOf } from '../callers/descriptor.js';

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
 * The same for a socket that HTTP/2 has, which neither reads on nor closes once it has refused a client's frames. Nothing
 * may be written there: HTTP/2 writes past Node's stream, and takes the end of each write for the end of its own; one that
 * it did not begin ends this process. So the kernel is asked. Bytes that came before the end are read first.
 * @param hasHungUp asks it, about a descriptor
 */
export function watchBehindHttp2(socket: Socket, hasHungUp: (fd: number) => boolean): void {
  let readBefore: number | undefined;
  every(socket, () => {
    const fd = descriptorOf(socket);
    if (fd === undefined || !hasHungUp(fd)) return;
    if (socket.bytesRead === readBefore) socket.destroy();
    readBefore = socket.bytesRead;
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

function every(socket: Socket, look: () => void): () => void {
  const timer = setInterval(look, everyMs).unref();
  const stop = (): void => {
    clearInterval(timer);
    socket.off('close', stop);
  };
  socket.once('close', stop);
  return stop;
}
