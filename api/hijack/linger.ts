import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout } from '@cleat/protocol/guard';

/**
 * How long a client may go on sending that has had its last answer: in all, without a byte, and so many bytes. As nginx
 * has it (`lingering_time`, `lingering_timeout`), which counts no bytes.
 */
export const lingering = { totalMs: 30_000, silentMs: 5_000, bytes: 256 * 1024 * 1024 };

/**
 * Ends a connection whose client may still be sending: half-closes it after what was written, and reads and drops what
 * comes, for a while. Closing with unread input would reset the connection, and the client, whose write fails then, might
 * never see the answer.
 */
export function linger(socket: Socket): void {
  if (socket.writable) socket.end();
  if (socket.readableEnded || socket.destroyed) return void socket.destroySoon();
  let left = lingering.bytes;
  const leave = (): void => void socket.destroy();
  const total = setTimeout(leave, lingering.totalMs).unref();
  let silent = setTimeout(leave, lingering.silentMs).unref();
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    clearTimeout(silent);
    if (left < 0) leave();
    else silent = setTimeout(leave, lingering.silentMs).unref();
  });
  socket.resume();
  socket.once('end', leave);
  socket.once('close', () => {
    clearTimeout(total);
    clearTimeout(silent);
  });
}

/** The reader of a request's body learns that there is no more of it; the connection, which Node would end at once, lingers. */
export function abandonBody(request: IncomingMessage): void {
  Reflect.set(request, 'socket', undefined);
  request.destroy();
}
