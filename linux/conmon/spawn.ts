/**
 * Starting conmon: in a session of its own and with no pipe that it needs, so that it goes on when the engine dies.
 *
 * For a container it becomes a daemon, which takes half the memory: what it mapped while it started stays with the
 * process that forked it. Its end is seen by the sync pipe, which it holds as long as it lives. For an exec session, which
 * is short, it stays our child (`--sync`).
 */

import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Deadline } from '@cleat/protocol/async/deadline';
import { cancelled, deadlineExceeded, systemError, unavailable } from '@cleat/protocol/errors';
import { commandPath } from '../host.js';
import { isAlive, processIdentity } from '../process/identity.js';
import { readPidFile } from '../process/pid-file.js';
import { closed, posixSpawn, reapAdopted, type Spawned } from '../syscall/spawn.js';

/** One line on the sync or attach pipe (conmon's `--api-version 1`). */
export interface SyncMessage {
  data: number;
  message?: string;
}

export interface ConmonProcess {
  /** The number of the process that stays. @throws CleatError System when there is none, with what it said */
  pid: Promise<number>;
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
  /** Forgets the pipes that conmon no longer needs. */
  release(): void;
}

export interface SpawnRequest {
  conmonPath: string;
  args: readonly string[];
  /** conmon's working directory; it writes an `oom` file there. */
  cwd: string;
  /** Use a start pipe and an attach pipe (exec with streams). */
  attach: boolean;
  /** conmon becomes a daemon and writes its number here (`--conmon-pidfile`); without it stays our child. */
  daemonPidFile?: string;
  /** Added to the environment of conmon and of the runtime. */
  env?: Readonly<Record<string, string>>;
}

/** Characters that are kept of what conmon says. */
const maxComplaint = 64 * 1024;

/** @throws CleatError Unavailable when there is no conmon */
export function spawnConmon(request: SpawnRequest): ConmonProcess {
  const conmon = start(request);
  const [, stdout, stderr, sync, attached, go] = conmon.pipes;
  let complaint = '';
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < maxComplaint) complaint += text;
    });
  }
  go?.write('\0');
  const ended = request.daemonPidFile === undefined ? conmon.ended : sync && closed(sync);
  let self: Signalled = conmon;
  const pid = (async () => {
    if (request.daemonPidFile === undefined) return conmon.pid;
    const failed = await conmon.ended;
    const daemon = failed ? undefined : readPidFile(request.daemonPidFile);
    if (daemon === undefined) throw systemError(`conmon did not start: ${complaint.trim() || 'it said nothing'}`);
    self = adopted(daemon);
    return daemon;
  })();
  pid.catch(() => {}); // Nobody may ask.
  return {
    pid,
    ended: Promise.resolve(ended).then(() => {}),
    nextSync: messages(sync),
    nextAttach: messages(attached),
    go: () => void go?.write('\0'),
    complaint: () => complaint.trim(),
    freeze: (frozen) => self.kill(frozen ? 'SIGSTOP' : 'SIGCONT'),
    kill: () => self.kill('SIGKILL'),
    release() {
      for (const pipe of conmon.pipes) if (pipe !== sync || !request.daemonPidFile) pipe?.destroy();
      sync?.unref();
    },
  };
}

type Signalled = Pick<Spawned, 'kill'>;

/** A process that is not our child: its number may come to mean another one. */
function adopted(pid: number): Signalled {
  const identity = processIdentity(pid);
  reapAdopted(pid);
  return {
    kill(signal) {
      if (identity && isAlive(identity)) process.kill(pid, signal);
    },
  };
}

function start({ conmonPath, args, cwd, attach, daemonPidFile, env }: SpawnRequest): Spawned {
  const advice = `conmon cannot be started (${conmonPath}): install the package conmon`;
  const path = commandPath(conmonPath);
  if (path === undefined) throw unavailable(advice);
  try {
    return posixSpawn(path, [...args, ...(daemonPidFile ? ['--conmon-pidfile', daemonPidFile] : ['--sync'])], {
      cwd,
      session: true,
      stdio: ['null', 'writes', 'writes', 'writes', ...(attach ? (['writes', 'reads'] as const) : [])],
      env: {
        PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        ...env,
        _OCI_SYNCPIPE: '3',
        ...(attach ? { _OCI_ATTACHPIPE: '4', _OCI_STARTPIPE: '5' } : {}),
      },
    });
  } catch (cause) {
    throw unavailable(advice, { cause });
  }
}

/** Lines of JSON, one call each; undefined at the end of the pipe. */
function messages(pipe: Readable | undefined): () => Promise<SyncMessage | undefined> {
  if (!pipe) return async () => undefined;
  const lines = createInterface({ input: pipe })[Symbol.asyncIterator]();
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
