import type { Readable } from 'node:stream';
import { asCleatError } from '@cleat/protocol/errors';

/** Bytes that may wait to be written to disk. */
const maxWaiting = 1024 * 1024;

/**
 * The pieces of a stream as they come. A stream's own iterator joins whatever waits into one new buffer, which for an
 * archive of gigabytes is a copy of it all, and most of the collector's work.
 * @throws what the stream fails with
 */
export async function* flow(source: Readable): AsyncGenerator<Buffer, void, void> {
  let waiting: Buffer[] = [];
  let length = 0;
  let end: { error?: Error } | undefined;
  let wake = (): void => {};
  const finish = (error?: Error | null): void => {
    end ??= error ? { error } : {};
    wake();
  };
  const gone = (): void =>
    finish(source.readableEnded ? undefined : asCleatError(source.errored ?? new Error('unexpected EOF')));
  source
    .on('data', (piece: Buffer | string) => {
      const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
      waiting.push(chunk);
      length += chunk.length;
      if (length >= maxWaiting) source.pause();
      wake();
    })
    .once('end', () => finish())
    .once('error', finish)
    // Destroyed without an error, before its end.
    .once('close', gone);
  // It was over before anybody listened: its events will not come again.
  if (source.closed) gone();
  try {
    for (;;) {
      const chunks = waiting;
      [waiting, length] = [[], 0];
      if (!end) source.resume();
      yield* chunks;
      if (waiting.length > 0) continue;
      if (end?.error) throw end.error;
      if (end) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    source.destroy();
  }
}
