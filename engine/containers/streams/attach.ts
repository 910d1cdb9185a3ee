import { conflict, isClass, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { SpoolChunk, SpoolPosition } from '../../spool/service.js';
import { DetachWatch, parseDetachKeys } from '../../streams/detach-keys.js';
import type { AttachSession, OutputFrame } from '../../streams/service.js';
import type { Context } from '../context.js';
import type { AttachOptions } from '../service.js';
import type { Container } from '../state/container.js';
import { restarting } from '../steps/signal.js';

/** The last input is answered within this time, or not at all. */
const lastAnswerMs = 200;

/**
 * A client's connection to a container. Output comes from the spool, at the client's own pace; input goes to conmon.
 * Before the container's start too: then it waits for it. @throws Conflict, InvalidParameter (detach keys)
 */
export function attachContainer(
  context: Pick<Context, 'emit' | 'log' | 'spool'>,
  container: Container,
  options: AttachOptions,
): AttachSession {
  const { id, record } = container;
  const { status } = record.state;
  const keys = parseDetachKeys(options.detachKeys);
  if (status === 'paused') throw conflict(`container ${id} is paused, unpause the container before attach`);
  if (status === 'restarting') throw restarting(id);
  const tty = record.config.Tty === true;
  const gone = new AbortController();
  const now = context.spool.position(id);
  const from = options.logs ? context.spool.beginning(id) : now;
  context.emit(container, 'attach');

  container.onNoRun(gone);
  const frames = output(context, container, options, {
    from,
    until: options.stream ? undefined : now,
    signal: gone.signal,
  });
  const session: AttachSession = { tty, output: tracked(container, frames, gone), close };
  if (options.stdin && options.stream && record.config.OpenStdin) {
    const watch = new DetachWatch(tty ? keys : []);
    session.write = async (data) => {
      const { pass, detached } = watch.filter(data);
      if (pass.length > 0) {
        const run = await container.nextRun(gone.signal);
        if (!run) throw unavailable(`container ${id} does not take input`);
        await run.stdin.write(pass, gone.signal);
      }
      if (detached) {
        setTimeout(() => gone.abort(), lastAnswerMs);
        context.emit(container, 'detach');
      }
    };
    session.endInput = endInput;
  }
  return session;

  /**
   * A container that opened stdin for one client gets its end. Any other's stdin stays open for the next client, and
   * this one, who has nothing more to say, is let go (moby `daemon/container/stream/attach.go`) once it has heard the
   * answer.
   */
  async function endInput(): Promise<void> {
    if (tty || !record.config.StdinOnce) {
      setTimeout(() => gone.abort(), lastAnswerMs);
      return;
    }
    const run = await container.nextRun(gone.signal);
    try {
      await run?.stdin.end();
    } catch (error) {
      // The process has ended: so has its input.
      if (!isClass(error, 'NotFound') && !isClass(error, 'Unavailable')) throw error;
    }
  }

  function close(): void {
    const connected = !gone.signal.aborted;
    gone.abort();
    if (connected && session.write && container.run) {
      endOfClient(container).catch((error: unknown) => {
        context.log.debug('could not end the input of a container', { container: id, error: String(error) });
      });
    }
  }
}

/** The one client that stdin was opened for has gone: the process sees end of file, as under Docker. */
async function endOfClient({ record, run }: Container): Promise<void> {
  if (!run || record.config.Tty || !record.config.StdinOnce) return;
  try {
    await run.stdin.end();
  } catch (error) {
    if (!isClass(error, 'NotFound') && !isClass(error, 'Unavailable')) throw error;
  }
}

/** The spool is asked now, not when the first frame is wanted: the end of a short run must not be missed. */
function output(
  context: Pick<Context, 'spool'>,
  container: Container,
  options: AttachOptions,
  range: { from: SpoolPosition; until: SpoolPosition | undefined; signal: AbortSignal },
): AsyncIterable<OutputFrame> {
  const { from, until, signal } = range;
  if (until !== undefined && !isBefore(from, until)) return nothing();
  return frames(context.spool.stream(container.id, { from, signal }), options, until);
}

async function* nothing(): AsyncIterable<OutputFrame> {}

async function* frames(
  chunks: AsyncIterable<SpoolChunk>,
  options: AttachOptions,
  until: SpoolPosition | undefined,
): AsyncIterable<OutputFrame> {
  for await (const chunk of chunks) {
    const wanted = chunk.stream === 1 ? options.stdout : options.stderr;
    if (wanted) yield { stream: chunk.stream, data: chunk.data };
    if (until !== undefined && !isBefore(chunk.next, until)) return;
  }
}

function isBefore(a: SpoolPosition, b: SpoolPosition): boolean {
  return a.generation < b.generation || (a.generation === b.generation && a.offset < b.offset);
}

/** The container's removal gives this reader a moment to read the rest. */
async function* tracked(
  container: Container,
  frames: AsyncIterable<OutputFrame>,
  gone: AbortController,
): AsyncIterable<OutputFrame> {
  let done: () => void = () => {};
  const reading = new Promise<void>((resolve) => {
    done = resolve;
  });
  container.sessions.add(reading);
  try {
    yield* frames;
  } finally {
    container.sessions.delete(reading);
    container.offNoRun(gone);
    done();
  }
}
