import type { Writable } from 'node:stream';

/**
 * Writes and waits while the reader is slow.
 * @returns false when the reader has gone.
 */
export async function writeTo(target: Writable, data: string | Uint8Array): Promise<boolean> {
  if (target.destroyed || target.writableEnded) return false;
  if (target.write(data)) return true;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      target.removeListener('drain', done);
      target.removeListener('close', done);
      target.removeListener('error', done);
      resolve();
    };
    target.on('drain', done);
    target.on('close', done);
    target.on('error', done);
  });
  return !target.destroyed;
}

/** Bytes on their way that nobody waits for: neither side is to stand still while the other one is woken. */
export const aheadBytes = 512 * 1024;

/** The same for a stream that is handed on: it waits only when more than a bound is on its way. */
export async function writeAhead(target: Writable, data: Uint8Array): Promise<boolean> {
  if (target.destroyed || target.writableEnded) return false;
  if (target.writableLength < aheadBytes) {
    target.write(data);
    return true;
  }
  return await writeTo(target, data);
}
