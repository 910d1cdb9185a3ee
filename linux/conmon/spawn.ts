/**
 * Starting conmon. It stays our child (`--sync` saves a fork and lets its end be seen at once), but in a session of
 * its own and with no pipe that it needs: when the engine dies, it goes on.
 */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { Deadline } from '@cleat/protocol/async/deadline';
import { cancelled, deadlineExceeded, systemError, unavailable } from '@cleat/protocol/errors';

/** One line on the sync or attach pipe (conmon's `--api-version 1`). */
export interface SyncMessage {
  data: number;
  message?: string;
}

export interface ConmonProcess {
  pid: number;
  /** Settles when conmon has ended, which is after it wrote the exit file. */
  ended: Promise<void>;
  /** The next message of the sync pipe; undefined when conmon ended without one. */
  nextSync(): Promise<SyncMessage | undefined>;
  /** The next message of the attach pipe. */
  nextAttach(): Promise<SyncMessage | undefined>;
  /** Lets the runtime go on (start pipe). */
  go(): void;
  /** Output of conmon itself before it left its parent's stdio. */
  complaint(): string;
  /** Stops conmon (true), and with it the processes that print into its pipes, or lets it go on. */
  freeze(frozen: boolean): void;
  /** Kills conmon; the runtime that it waits for dies with it. */
  kill(): void;
  /** Forgets the pipes; conmon no longer needs them. */
  release(): void;
}

export interface SpawnRequest {
  conmonPath: string;
  args: readonly string[];
  /** conmon's working directory; it writes an `oom` file there. */
  cwd: string;
  /** Use a start pipe and an attach pipe (exec with streams). */
  attach: boolean;
  /** Added to the environment of conmon and of the runtime. */
  env?: Readonly<Record<string, string>>;
}

/** Characters that are kept of what conmon says. */
const maxComplaint = 64 * 1024;

/** @throws CleatError Unavailable when there is no conmon */
export async function spawnConmon(request: SpawnRequest): Promise<ConmonProcess> {
  const extra = request.attach ? (['pipe', 'pipe', 'pipe'] as const) : (['pipe'] as const);
  const child = spawn(request.conmonPath, [...request.args], {
    cwd: request.cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', ...extra],
    env: {
      PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ...request.env,
      _OCI_SYNCPIPE: '3',
      ...(request.attach ? { _OCI_ATTACHPIPE: '4', _OCI_STARTPIPE: '5' } : {}),
    },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      const advice = `conmon cannot be started (${request.conmonPath}): install the package conmon`;
      reject(unavailable(advice, { cause }));
    });
  });
  child.unref();
  let complaint = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < maxComplaint) complaint += text;
    });
  }
  const stdio: readonly (Readable | Writable | null | undefined)[] = child.stdio;
  const pipes = stdio.slice(1);
  // A pipe that breaks says that conmon is gone; `ended` and the readers tell.
  for (const pipe of pipes) pipe?.on('error', () => {});
  const start = stdio[5] as Writable | null | undefined;
  if (request.attach) start?.write('\0');
  return {
    pid: child.pid ?? 0,
    ended,
    nextSync: messages(stdio[3]),
    nextAttach: messages(stdio[4]),
    go: () => start?.write('\0'),
    complaint: () => complaint.trim(),
    // Our own child that was not reaped yet: its number cannot have come to mean another process.
    freeze: (frozen) => void child.kill(frozen ? 'SIGSTOP' : 'SIGCONT'),
    kill: () => void child.kill('SIGKILL'),
    release() {
      for (const pipe of pipes) pipe?.destroy();
    },
  };
}

/** Lines of JSON, one call each; undefined at the end of the pipe. */
function messages(pipe: Readable | Writable | null | undefined): () => Promise<SyncMessage | undefined> {
  if (!pipe) return async () => undefined;
  const lines = createInterface({ input: pipe as Readable })[Symbol.asyncIterator]();
  return async () => {
    const line = await lines.next();
    if (line.done) return undefined;
    const message: unknown = JSON.parse(line.value);
    if (typeof message === 'object' && message !== null && 'data' in message && typeof message.data === 'number') {
      return { data: message.data, message: 'message' in message ? String(message.message) : undefined };
    }
    throw systemError(`conmon sent a message that cannot be read: ${line.value}`);
  };
}

/**
 * Waits for a step of conmon's; past the deadline, or when the caller goes away, conmon and the runtime are killed.
 * @throws CleatError DeadlineExceeded, Cancelled
 */
export async function within<T>(
  conmon: ConmonProcess,
  step: Promise<T>,
  what: string,
  options: { deadlineMs: number; signal?: AbortSignal },
): Promise<T> {
  const { deadlineMs, signal } = options;
  using deadline = new Deadline({
    ms: deadlineMs,
    signal,
    late: () => deadlineExceeded(`${what} did not finish within ${deadlineMs} ms`),
    left: () => cancelled(`${what} was stopped: the caller went away`),
  });
  try {
    return await deadline.race(step);
  } finally {
    if (deadline.signal.aborted) conmon.kill();
  }
}
