import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A client without manners: it writes bytes, reads some of the answer, and leaves when and how it wants. */
export interface Visit {
  /** Bytes that are sent, in pieces. */
  readonly send: readonly (string | Buffer)[];
  /** Milliseconds between the pieces; default 1. */
  readonly gap?: number;
  /** Leaves once it has read this many bytes of the answer … */
  readonly read: number;
  /** … or after this time. */
  readonly ms: number;
  /** `reset` closes with the answer unread, `end` half-closes and waits a moment for the rest. */
  readonly leave: 'destroy' | 'end' | 'reset';
}

export async function visit(path: string, { send, gap = 1, read, ms, leave }: Visit): Promise<string> {
  const socket = await connected(path);
  let answer = '';
  let enough = () => {};
  const done = new Promise<void>((resolve) => {
    enough = resolve;
  });
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
    if (answer.length < read) return;
    if (leave === 'reset') socket.pause();
    enough();
  });
  socket.on('end', enough).on('close', enough);
  for (const piece of send) {
    socket.write(piece);
    if (send.length > 1) await sleep(gap);
  }
  await Promise.race([done, sleep(ms)]);
  if (leave === 'end') {
    socket.end();
    await Promise.race([closed(socket), sleep(50)]);
  }
  socket.destroy();
  await closed(socket);
  return answer;
}

/** A busy engine's queue may be full for a moment. */
async function connected(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect({ path, allowHalfOpen: true });
    const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      socket.once('connect', () => resolve(undefined));
      // Later on the server may close first: so be it.
      socket.on('error', resolve);
    });
    if (!failure) return socket;
    if (failure.code !== 'EAGAIN') throw failure;
    await sleep(20);
  }
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

/** Works on all of them, so many at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
