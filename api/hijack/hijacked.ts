import type { Socket } from 'node:net';
import type { AttachSession } from '@cleat/engine/containers/service';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { frame } from '../streams/frame.js';
import { writeTo } from '../streams/write.js';

/** How long a client may take to close its side after ours is closed. */
const lingerMs = 10_000;

/** A connection that was taken over: raw bytes both ways. */
export interface HijackedConnection {
  readonly socket: Socket;
  /** What the client sends, already without transfer coding; ends at its half-close. */
  readonly input: AsyncIterable<Buffer>;
  /** Nobody reads {@link input} any more; keeps noticing when the client goes. */
  discardInput(): void;
}

export interface HijackHead {
  /** The client asked for an upgrade. */
  asked: boolean;
  contentType: string;
  /** Sent along, as for every answer. */
  headers: Readonly<Record<string, string>>;
}

/** The answer's head: 101 to who asked for an upgrade, else a plain 200 that is followed by the raw stream. */
export function hijackHead({ asked, contentType, headers }: HijackHead): string {
  const lines = [
    asked ? 'HTTP/1.1 101 UPGRADED' : 'HTTP/1.1 200 OK',
    `Content-Type: ${contentType}`,
    ...(asked ? ['Connection: Upgrade', 'Upgrade: tcp'] : []),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Joins a client and a process: output framed (raw for a terminal), input until half-close. Ends with the output. */
export async function joinStreams(connection: HijackedConnection, session: AttachSession, log: Logger): Promise<void> {
  const { socket } = connection;
  const closed = (): void => session.close();
  if (socket.destroyed) closed();
  else socket.once('close', closed);
  const feeding = feed(connection, session, log);
  try {
    for await (const chunk of session.output) {
      if (!(await writeTo(socket, session.tty ? chunk.data : frame(chunk.stream, chunk.data)))) break;
    }
  } finally {
    socket.removeListener('close', closed);
    session.close();
    closeGently(connection);
  }
  await feeding;
}

async function feed(connection: HijackedConnection, session: AttachSession, log: Logger): Promise<void> {
  if (!session.write) return connection.discardInput();
  try {
    for await (const chunk of connection.input) await session.write(chunk);
    if (!connection.socket.destroyed) await session.endInput?.();
  } catch (error) {
    // The process has closed its input or is gone; its output may still come.
    log.debug('input of a hijacked connection was not taken', { error: messageOf(error) });
    connection.discardInput();
  }
}

/**
 * Half-closes, then reads on until the client closes too: closing with unread input would reset the connection, and the
 * client might lose the last output.
 */
export function closeGently(connection: HijackedConnection): void {
  const { socket } = connection;
  connection.discardInput();
  socket.end();
  if (socket.readableEnded) return void socket.destroySoon();
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('end', () => socket.destroySoon());
  socket.once('close', () => clearTimeout(timer));
}
