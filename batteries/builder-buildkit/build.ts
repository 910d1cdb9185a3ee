import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { solveRequest, solveResponse, statusRequest, statusResponse } from '@cleat/protocol/buildkit/control';
import { messageOf, systemError } from '@cleat/protocol/errors';
import type { GrpcClient } from '@cleat/protocol/grpc/client';
import { StatusError } from '@cleat/protocol/grpc/status';
import { setTimeout } from '@cleat/protocol/guard';
import type { BuildLine, BuildRequest } from '@cleat/protocol/kinds/builder';
import type { Logger } from '@cleat/protocol/log';
import { connectTo, control } from './connection.js';
import { loadImage } from './engine.js';
import type { SolveRequest } from './order.js';
import { Progress } from './progress.js';
import { openSession } from './session/session.js';

/** How long buildkitd may still tell of a build that is over, in ms. */
const afterMs = 5_000;
/** A build takes as long as it takes: who waits for it ends it. */
const noDeadlineMs = 2 ** 31 - 1;

interface Place {
  /** Path of buildkitd's socket. */
  readonly path: string;
  readonly log: Logger;
}

/** Builds, and tells of it. The reader's pace is that of what buildkitd says; leaving ends the build. */
export async function* build(
  { path, log }: Place,
  order: BuildRequest,
  request: SolveRequest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const left = new AbortController();
  const all = AbortSignal.any([signal, left.signal]);
  let client: GrpcClient | undefined;
  const progress = new Progress();
  try {
    client = await connectTo(path, log);
    const Ref = randomBytes(16).toString('hex');
    const solved = solve(client, order, { ...request, Ref }, all, log);
    // Awaited below.
    solved.catch(() => {});
    for await (const line of linesOf(client, Ref, progress, solved, all)) yield encode(line);
    yield encode({ Result: { Image: await solved } });
  } catch (error) {
    if (all.aborted) return;
    log.debug('a build failed', { error: messageOf(error) });
    yield encode({ Error: progress.failure(messageOf(error), lineIn(error)) });
  } finally {
    left.abort();
    client?.close();
  }
}

const encode = (line: BuildLine): Uint8Array => Buffer.from(`${JSON.stringify(line)}\n`);

/** @returns the image's ID */
async function solve(
  client: GrpcClient,
  order: BuildRequest,
  request: SolveRequest,
  signal: AbortSignal,
  log: Logger,
): Promise<string> {
  const over = new AbortController();
  let image: string | undefined;
  const onResult = async (archive: Readable): Promise<void> => {
    image = await loadImage(order.Engine, archive, signal);
  };
  const Session = openSession(client, { order, onResult, log }, AbortSignal.any([signal, over.signal]));
  try {
    const types = [solveRequest, solveResponse] as const;
    await client.call(control('Solve'), [...types], { ...request, Session }, { signal, deadlineMs: noDeadlineMs });
  } finally {
    over.abort();
  }
  if (image === undefined) throw systemError('buildkitd says that the build is done, but it has sent no image');
  return image;
}

/** Tells the words of buildkitd up to the end of the build. Silence is no failure of the build. */
async function* linesOf(
  client: GrpcClient,
  Ref: string,
  progress: Progress,
  solved: Promise<unknown>,
  signal: AbortSignal,
): AsyncGenerator<BuildLine> {
  const call = client.stream(control('Status'), [statusRequest, statusResponse], { signal });
  const limit = solved.then(
    () => setTimeout(() => call.cancel(), afterMs),
    () => setTimeout(() => call.cancel(), afterMs),
  );
  try {
    await call.send({ Ref });
    call.end();
    for await (const status of call.messages) yield* progress.linesOf(status);
  } catch {
    // The call of the build itself says what is wrong.
  } finally {
    void limit.then((timer) => clearTimeout(timer));
  }
}

/** The place in the Dockerfile, which BuildKit adds to its error (`solver/errdefs`). */
function lineIn(error: unknown): number | undefined {
  if (!(error instanceof StatusError)) return undefined;
  const source = error.typed.find(({ typeUrl }) => typeUrl.endsWith('errdefs.Source+json'));
  if (!source) return undefined;
  try {
    const { ranges } = JSON.parse(Buffer.from(source.value).toString('utf8')) as {
      ranges?: { start?: { line?: number } }[];
    };
    const line = ranges?.[0]?.start?.line;
    return typeof line === 'number' && Number.isSafeInteger(line) ? line : undefined;
  } catch {
    return undefined; // There is no place in it.
  }
}
