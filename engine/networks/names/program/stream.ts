import type { Socket } from 'node:net';
import { setTimeout } from '@cleat/protocol/guard';

/** A client that says nothing for so long is gone, or takes a place for nothing. */
const silenceMs = 10_000;
/** However busy it is: others wait for the place. */
const lifetimeMs = 120_000;
/** Bytes of questions; a longer one is none, and ends the connection. */
const maxQuestion = 4096;

/**
 * DNS over TCP: each message is preceded by its length in two bytes. Questions are answered one after the other, and
 * the next one is read when the client has taken the answer before: so a connection holds one question and one answer.
 * @param answer resolves to undefined for a message that is not answered
 */
export function serveStream(
  socket: Socket,
  answer: (message: Buffer) => Promise<Buffer | undefined> | undefined,
): void {
  let pending: Buffer = Buffer.alloc(0);
  let isBusy = false;
  let hasEnded = false;
  const lifetime = setTimeout(() => socket.destroy(), lifetimeMs);
  lifetime.unref();
  socket.setTimeout(silenceMs, () => socket.destroy());
  socket.once('close', () => clearTimeout(lifetime));
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    void work();
  });
  socket.on('end', () => {
    hasEnded = true;
    if (!isBusy) socket.end();
  });

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    socket.pause();
    for (let message = next(); message && !socket.destroyed; message = next()) {
      const said = await answer(message);
      if (said) await write(said);
    }
    isBusy = false;
    if (hasEnded) socket.end();
    else socket.resume();
  }

  function next(): Buffer | undefined {
    if (pending.length < 2) return undefined;
    const length = pending.readUInt16BE(0);
    if (length > maxQuestion) {
      socket.destroy();
      return undefined;
    }
    if (pending.length < 2 + length) return undefined;
    const message = pending.subarray(2, 2 + length);
    pending = pending.subarray(2 + length);
    return message;
  }

  /** Resolves when the client has taken it, or the connection is gone. */
  function write(message: Buffer): Promise<void> {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    return new Promise((resolve) => {
      socket.write(Buffer.concat([length, message]), () => resolve());
    });
  }
}
