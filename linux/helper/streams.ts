import { PassThrough, type Readable } from 'node:stream';
import { asCleatError, cancelled, deadlineExceeded } from '@cleat/protocol/errors';
import { owned, setTimeout } from '@cleat/protocol/guard';
import { endBody, writePiece } from './bodies.js';
import type { HelperReply } from './operations.js';
import { failureOf, type HelperProcess } from './process.js';

/**
 * The bytes of a `tarOut` that has said `ready`. It ends when the helper says `done`; a helper that fails, dies, or
 * brings nothing for `deadlineMs` although the reader wants more, destroys the stream with the error.
 */
export function receiveTar(worker: HelperProcess, deadlineMs: number): Readable {
  const out = owned(new PassThrough());
  const finished = worker.next();
  let timer: NodeJS.Timeout | undefined;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      // A reader that takes its time is no fault of the file system.
      if (out.writableNeedDrain) watch();
      else out.destroy(deadlineExceeded(`reading files took longer than ${deadlineMs} ms: the file system may hang`));
    }, deadlineMs);
  };
  watch();
  worker.output.on('data', (chunk: Buffer) => {
    watch();
    if (!out.write(chunk)) worker.output.pause();
  });
  out.on('drain', () => worker.output.resume());
  const drained = new Promise<void>((resolve) => worker.output.once('end', () => resolve()));
  out.once('close', () => {
    clearTimeout(timer);
    worker.kill();
  });
  void finish(finished, drained).then(
    () => out.end(),
    (error: unknown) => out.destroy(asCleatError(error)),
  );
  return out;
}

async function finish(finished: Promise<HelperReply>, drained: Promise<void>): Promise<void> {
  const reply = await finished;
  if (reply.type === 'failed') throw failureOf(reply);
  await drained;
}

/**
 * Feeds a `tarIn`. The helper may answer before it has read everything (what follows the archive's end is read and
 * dropped).
 */
export async function sendTar(
  worker: HelperProcess,
  source: Readable,
  answer: Promise<HelperReply>,
  limits: { deadlineMs: number; signal?: AbortSignal },
): Promise<HelperReply> {
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  let timer: NodeJS.Timeout | undefined;
  const stop = () => clearTimeout(timer);
  const watch = () => {
    stop();
    const late = () =>
      fail(deadlineExceeded(`writing files took longer than ${limits.deadlineMs} ms: the file system may hang`));
    timer = setTimeout(late, limits.deadlineMs);
  };
  const onAbort = () => fail(cancelled('extracting was stopped: the caller went away'));
  if (limits.signal?.aborted) onAbort();
  limits.signal?.addEventListener('abort', onAbort, { once: true });
  const onData = (chunk: Buffer) => {
    if (writePiece(worker.input, chunk)) return;
    source.pause();
    watch();
  };
  const onDrain = () => {
    stop();
    source.resume();
  };
  const onEnd = () => {
    watch();
    endBody(worker.input);
  };
  const ended = () => {
    if (!source.readableEnded)
      fail(source.errored ?? cancelled('the archive ended before its time: the sender went away'));
  };
  failed.catch(() => {});
  if (source.closed) ended();
  source.on('data', onData).once('end', onEnd);
  source.once('error', fail).once('close', ended);
  worker.input.on('drain', onDrain);
  try {
    return await Promise.race([answer, failed]);
  } finally {
    stop();
    limits.signal?.removeEventListener('abort', onAbort);
    source.off('data', onData);
    worker.input.off('drain', onDrain);
    // The rest is read and dropped, so that the sender gets to see the answer.
    source.resume();
  }
}
