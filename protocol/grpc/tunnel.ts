import { Duplex } from 'node:stream';
import { messageOf } from '../errors.js';
import { guarded, owned } from '../guard.js';
import type { Logger } from '../log.js';

interface Piece {
  readonly data: Uint8Array;
}

/**
 * A connection within a call: what comes in its messages is what is read, what is written goes out in them. The call ends
 * with the connection.
 */
export async function* tunnelOf(
  pieces: AsyncIterable<Piece>,
  use: (connection: Duplex) => Promise<void>,
  log: Logger,
): AsyncGenerator<Piece> {
  const incoming = pieces[Symbol.asyncIterator]();
  const outgoing: { data: Uint8Array; written: () => void }[] = [];
  let wake = (): void => {};
  const connection = owned(
    new Duplex({
      read: guarded(async () => {
        try {
          const next = await incoming.next();
          connection.push(next.done ? null : next.value.data);
        } catch (error) {
          connection.destroy(error instanceof Error ? error : undefined);
        }
      }),
      // HTTP/2 writes each frame in several pieces.
      writev(chunks, written) {
        const pieces = chunks.map(({ chunk }) => chunk as Buffer);
        outgoing.push({ data: Buffer.concat(pieces), written: () => written() });
        wake();
      },
    }),
  );
  let isOver = false;
  void use(connection)
    .catch((error: unknown) => log.debug('a connection within a call failed', { error: messageOf(error) }))
    .finally(() => {
      isOver = true;
      wake();
    });
  try {
    for (;;) {
      const next = outgoing.shift();
      if (next) {
        yield { data: next.data };
        next.written();
      } else if (isOver || connection.destroyed) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    connection.destroy();
  }
}
