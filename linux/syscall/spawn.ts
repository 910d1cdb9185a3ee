import { closeSync, constants } from 'node:fs';
import { Socket } from 'node:net';
import { guarded, owned } from '@cleat/protocol/guard';
import { syscallError } from './errno.js';
import { callC, callWithPointers } from './ffi.js';
import { O_CLOEXEC } from './files.js';

/** More than glibc's `posix_spawnattr_t` (336 bytes) and `posix_spawn_file_actions_t` (80) on any architecture. */
const opaque = 512;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const WNOHANG = 1;
const F_DUPFD_CLOEXEC = 1030;

/** The program's use of a pipe. */
export type Pipe = 'reads' | 'writes';

export interface SpawnOptions {
  env: NodeJS.ProcessEnv;
  /** Default: this process's. */
  cwd?: string;
  /** Makes the program the leader of a session of its own. */
  session?: boolean;
  /** Its descriptors, from 0 on; `null` is /dev/null. stdin, stdout and stderr must be there. */
  stdio: readonly (Pipe | 'null')[];
}

export interface Spawned {
  pid: number;
  /** This process's ends of the pipes, by the number that the program has them as. */
  pipes: readonly (Socket | undefined)[];
  /** The status of wait(2) once the process has ended. */
  ended: Promise<number>;
  /** The same, once all that it and its children wrote was read, too. */
  finished(): Promise<number>;
  /** Sends a signal, unless the process has ended. */
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts a program as posix_spawn(3) does, which shares this process's memory with the child until its exec. Node's own
 * spawn forks, and a fork's cost grows with the daemon's memory: 1–3 ms each, during which nothing else goes on.
 * Signals are as in a fresh process.
 * @param file an absolute path
 * @throws CleatError System with `details.errno`
 */
export function posixSpawn(file: string, args: readonly string[], { env, cwd, session, stdio }: SpawnOptions): Spawned {
  listen();
  const pipes: (PipeEnds | undefined)[] = [];
  const actions = Buffer.alloc(opaque);
  const attributes = Buffer.alloc(opaque);
  try {
    callC('int posix_spawn_file_actions_init(void *actions)', file, actions);
    for (const [at, kind] of stdio.entries()) {
      const pipe = kind === 'null' ? undefined : pipeFor(kind);
      pipes.push(pipe);
      if (pipe === undefined) openNull(file, actions, at);
      else
        callC('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)', file, actions, pipe.theirs, at);
    }
    if (cwd !== undefined) {
      callC('int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)', file, actions, cwd);
    }
    callC('int posix_spawnattr_init(void *attributes)', file, attributes);
    const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | (session ? POSIX_SPAWN_SETSID : 0);
    callC('int posix_spawnattr_setflags(void *attributes, short flags)', file, attributes, flags);
    callC('int posix_spawnattr_setsigmask(void *attributes, const void *set)', file, attributes, Buffer.alloc(128));
    const all = Buffer.alloc(128, 0xff);
    callC('int posix_spawnattr_setsigdefault(void *attributes, const void *set)', file, attributes, all);
    const pid = Buffer.alloc(4);
    const failed = callWithPointers(
      'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)',
      pid,
      file,
      actions,
      attributes,
      [file, ...args, null],
      [...Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : `${name}=${value}`)), null],
    );
    if (failed !== 0) throw syscallError('posix_spawn', file, failed);
    return running(pid.readInt32LE(), pipes);
  } catch (error) {
    for (const pipe of pipes) if (pipe) closeSync(pipe.ours);
    throw error;
  } finally {
    callC('int posix_spawn_file_actions_destroy(void *actions)', file, actions);
    for (const pipe of pipes) if (pipe) closeSync(pipe.theirs);
  }
}

function openNull(file: string, actions: Buffer, fd: number): void {
  callC(
    'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, unsigned int mode)',
    file,
    actions,
    fd,
    '/dev/null',
    constants.O_RDWR,
    0,
  );
}

function running(pid: number, pipes: readonly (PipeEnds | undefined)[]): Spawned {
  let over = false;
  const ended = new Promise<number>((resolve) => {
    awaitEnd(pid, (status) => {
      over = true;
      resolve(status);
    });
  });
  const sockets = pipes.map(
    (pipe) => pipe && owned(new Socket({ fd: pipe.ours, readable: pipe.readable, writable: !pipe.readable })),
  );
  return {
    pid,
    pipes: sockets,
    ended,
    async finished() {
      await Promise.all(sockets.map((socket, at) => pipes[at]?.readable && socket && closed(socket)));
      return await ended;
    },
    kill(signal) {
      // Until the kernel was asked for its status, nobody else gets its number.
      if (!over) process.kill(pid, signal);
    },
  };
}

/** Settles once nothing more comes from a pipe: all that could write to it are gone, or it was given up. */
export const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });

/** Children that have not ended, as far as is known. */
const waiting = new Map<number, (status: number) => void>();
let listening = false;

/** Calls back once, by the event loop and so not before the caller has returned, with the status of wait(2). */
function awaitEnd(pid: number, onEnd: (status: number) => void): void {
  waiting.set(pid, onEnd);
}

/** For a process that another one left behind: the host's first process becomes its parent, which may be this one. */
export function reapAdopted(pid: number): void {
  if (process.pid === 1) awaitEnd(pid, () => {});
}

/** To be called before a child is started: one that ends before somebody listens is never heard of. */
function listen(): void {
  if (!listening) process.on('SIGCHLD', guarded(reap));
  listening = true;
}

/** The kernel sends one signal for any number of children. */
function reap(): void {
  const status = Buffer.alloc(4);
  for (const [pid, onEnd] of waiting) {
    if (callC('int waitpid(int pid, void *status, int options)', `${pid}`, pid, status, WNOHANG) === 0) continue;
    waiting.delete(pid);
    onEnd(status.readInt32LE());
  }
}

interface PipeEnds {
  theirs: number;
  ours: number;
  /** Whether this process reads. */
  readable: boolean;
}

function pipeFor(kind: Pipe): PipeEnds {
  const ends = Buffer.alloc(8);
  callC('int pipe2(void *ends, int flags)', 'pipe', ends, O_CLOEXEC);
  const [read, write] = [ends.readInt32LE(0), ends.readInt32LE(4)];
  return kind === 'reads'
    ? { theirs: outOfTheWay(read), ours: write, readable: false }
    : { theirs: outOfTheWay(write), ours: read, readable: true };
}

/** A number that the program's own descriptors do not have, so that none of them is put in the place of another. */
function outOfTheWay(fd: number): number {
  if (fd >= 16) return fd;
  const moved = callC('int fcntl(int fd, int command, int from)', `fd ${fd}`, fd, F_DUPFD_CLOEXEC, 16);
  closeSync(fd);
  return moved;
}
