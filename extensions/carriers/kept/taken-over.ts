import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { owned } from '@cleat/protocol/guard';

/**
 * A connection on which a request was sent, for Node's client to read the answer from it. That client writes a request
 * of its own first, which goes nowhere.
 * @param received what has come of the answer so far
 */
export function takenOver(socket: Socket, received: Buffer): Duplex {
  const stream = owned(
    new Duplex({
      allowHalfOpen: false,
      read: () => void socket.resume(),
      write: (_bytes, _encoding, done) => done(),
      destroy: (error, done) => {
        // Not before the socket: its client would hear of the end before anybody reads the answer.
        if (socket.closed) done(error);
        else socket.once('close', () => done(error)).destroy();
      },
    }),
  );
  stream.push(received);
  socket.on('data', (bytes) => {
    if (!stream.push(bytes)) socket.pause();
  });
  socket.on('end', () => stream.push(null));
  socket.on('error', (error) => stream.destroy(error));
  return stream;
}
