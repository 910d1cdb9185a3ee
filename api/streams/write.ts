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
