import { isClass } from '@cleat/protocol/errors';
import { DetachWatch } from '../streams/detach-keys.js';
import type { AttachSession, OutputFrame } from '../streams/service.js';
import type { Exec } from './exec.js';
import type { SpillQueue } from './spill-queue.js';

/** A client's connection to an exec's streams. Closing it never ends the process. */
export function sessionOf(exec: Exec, queue: SpillQueue, keys: readonly number[]): AttachSession {
  const { request, attach } = exec;
  const tty = request.Tty === true;
  const session: AttachSession = {
    tty,
    output: wanted(queue.frames(), exec),
    close() {
      queue.drop();
      // As under Docker, its input ends with its client, unless it is a terminal: somebody may come back to that.
      if (!tty && request.AttachStdin) attach?.closeInput().catch(() => {}); // It has ended: so has its input.
    },
  };
  if (!request.AttachStdin || !attach) return session;
  const watch = new DetachWatch(tty ? keys : []);
  session.write = async (data) => {
    const { pass, detached } = watch.filter(data);
    if (pass.length > 0) await attach.write(Buffer.from(pass));
    if (!detached) return;
    exec.target.emit('exec_detach', { execID: exec.id });
    queue.drop();
  };
  session.endInput = async () => {
    if (tty) return;
    try {
      await attach.closeInput();
    } catch (error) {
      // It has ended: so has its input.
      if (!isClass(error, 'Unavailable')) throw error;
    }
  };
  return session;
}

async function* wanted(frames: AsyncIterable<OutputFrame>, { request }: Exec): AsyncIterable<OutputFrame> {
  for await (const frame of frames) {
    if (frame.stream === 1 ? request.AttachStdout !== false : request.AttachStderr !== false || request.Tty)
      yield frame;
  }
}
