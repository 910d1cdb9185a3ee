import type { AttachSession } from '@cleat/engine/streams/service';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { frame } from '../streams/frame.js';
import type { HijackedConnection } from './hijacked.js';

export interface JoinOptions {
  log: Logger;
  /** Both output streams in one, each piece with a header; otherwise as it comes. */
  multiplexed: boolean;
}

/** Joins a client and a process: output at the client's pace, input until its half-close. Ends with the output. */
export async function joinStreams(
  connection: HijackedConnection,
  session: AttachSession,
  { log, multiplexed }: JoinOptions,
): Promise<void> {
  const forget = connection.onClose(() => session.close());
  const feeding = feed(connection, session, log);
  try {
    for await (const { stream, data } of session.output) {
      if (!(await connection.write(multiplexed ? frame(stream, data) : data))) break;
    }
  } finally {
    forget();
    session.close();
    connection.end();
  }
  await feeding;
}

async function feed(connection: HijackedConnection, session: AttachSession, log: Logger): Promise<void> {
  if (!session.write) {
    connection.discardInput();
    return;
  }
  try {
    for await (const chunk of connection.input) await session.write(chunk);
    if (!connection.closed) await session.endInput?.();
  } catch (error) {
    // The process has closed its input or is gone; its output may still come.
    log.debug('input of a hijacked connection was not taken', { error: messageOf(error) });
    connection.discardInput();
  }
}
