import { closeSync, constants } from 'node:fs';
import { Socket } from 'node:net';
import { syscallError } from './errno.js';
import { callC, callWithPointers } from './ffi.js';
import { O_CLOEXEC } from './files.js';

/** More than glibc's `posix_spawnattr_t` (336 bytes) and `posix_spawn_file_actions_t` (80) on any architecture. */
const opaque = 512;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const WNOHANG = 1;

export interface Spawned {
  pid: number;
  stdout: Socket;
  stderr: Socket;
  /**
   * The status of wait(2) once the process has ended; undefined while it runs. The kernel keeps it until it was asked
   * for, so ask until it is there.
   */
  ended(): number | undefined;
}

/**
 * Starts a program as posix_spawn(3) does, which shares this process's memory with the child until its exec. Node's own
 * spawn forks, and a fork's cost grows with the daemon's memory: 1–3 ms each, during which nothing else goes on.
 * stdin is /dev/null; signals are as in a fresh process.
 * @param file an absolute path
 * @throws CleatError System with `details.errno`
 */
export function posixSpawn(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Spawned {
  const [outRead, outWrite] = pipe();
  const [errRead, errWrite] = pipe();
  const actions = Buffer.alloc(opaque);
  const attributes = Buffer.alloc(opaque);
  try {
    callC('int posix_spawn_file_actions_init(void *actions)', file, actions);
    callC(
      'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, unsigned int mode)',
      file,
      actions,
      0,
      '/dev/null',
      constants.O_RDONLY,
      0,
    );
    for (const [from, to] of [
      [outWrite, 1],
      [errWrite, 2],
    ] as const) {
      callC('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)', file, actions, from, to);
    }
    callC('int posix_spawnattr_init(void *attributes)', file, attributes);
    const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
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
    return running(pid.readInt32LE(), outRead, errRead);
  } catch (error) {
    closeSync(outRead);
    closeSync(errRead);
    throw error;
  } finally {
    callC('int posix_spawn_file_actions_destroy(void *actions)', file, actions);
    closeSync(outWrite);
    closeSync(errWrite);
  }
}

function running(pid: number, out: number, err: number): Spawned {
  let status: number | undefined;
  return {
    pid,
    stdout: new Socket({ fd: out, readable: true, writable: false }),
    stderr: new Socket({ fd: err, readable: true, writable: false }),
    ended() {
      if (status !== undefined) return status;
      const answer = Buffer.alloc(4);
      if (callC('int waitpid(int pid, void *status, int options)', `${pid}`, pid, answer, WNOHANG) === 0)
        return undefined;
      status = answer.readInt32LE();
      return status;
    },
  };
}

function pipe(): [read: number, write: number] {
  const ends = Buffer.alloc(8);
  callC('int pipe2(void *ends, int flags)', 'pipe', ends, O_CLOEXEC);
  return [ends.readInt32LE(0), ends.readInt32LE(4)];
}
