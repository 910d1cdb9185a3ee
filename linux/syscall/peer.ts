import { closeSync, readFileSync } from 'node:fs';
import { errnoOf } from './errno.js';
import { callC } from './ffi.js';
import { pidFdExited } from './process.js';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
const SO_PEERPIDFD = 77;
const getsockopt = 'int getsockopt(int fd, int level, int name, void *value, void *length)';
/** NGROUPS_MAX; nobody has so many, and a second call would see another socket's state no better. */
const maxGroups = 65_536;
const usualGroups = 64;

/** The process that connected to a UNIX socket, at the moment when it did (unix(7)). */
export interface PeerProcess {
  /** 0: it is in a PID namespace that ours does not see. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** @param fd of a connected UNIX socket @throws CleatError System for another one */
export function peerProcess(fd: number): PeerProcess {
  return { ...peerCredentials(fd), groups: peerGroups(fd) };
}

/** The same without its groups; at the end that connected, the process that listens. */
export function peerCredentials(fd: number): Omit<PeerProcess, 'groups'> {
  const credentials = Buffer.alloc(12);
  getOption(fd, 'SO_PEERCRED', SO_PEERCRED, credentials);
  return {
    pid: credentials.readInt32LE(0),
    uid: credentials.readUInt32LE(4),
    gid: credentials.readUInt32LE(8),
  };
}

/**
 * The control groups of the process that connected, as /proc/PID/cgroup tells them.
 *
 * A process may have ended and another one have got its number: kernels from 6.5 on name the very process. On older
 * ones a number that was taken within the moment between connecting and being accepted goes unnoticed.
 * @returns undefined when it has ended, or is not to be seen from here
 */
export function peerCgroups(fd: number, pid: number): string | undefined {
  if (pid <= 0) return undefined;
  try {
    const text = readFileSync(`/proc/${pid}/cgroup`, 'latin1');
    return peerRuns(fd) ? text : undefined;
  } catch {
    // ENOENT or ESRCH: it is gone, which is the answer.
    return undefined;
  }
}

function getOption(fd: number, subject: string, option: number, value: Buffer): number {
  const length = Buffer.alloc(4);
  length.writeInt32LE(value.length);
  callC(getsockopt, subject, fd, SOL_SOCKET, option, value, length);
  return length.readInt32LE(0);
}

function peerGroups(fd: number): number[] {
  for (const room of [usualGroups, maxGroups]) {
    const groups = Buffer.alloc(4 * room);
    try {
      const length = getOption(fd, 'SO_PEERGROUPS', SO_PEERGROUPS, groups);
      return Array.from({ length: length / 4 }, (_, at) => groups.readUInt32LE(4 * at));
    } catch (error) {
      if (errnoOf(error) !== 'ERANGE') throw error;
    }
  }
  return [];
}

/** Whether the process that connected runs, so that its number is still its own. */
function peerRuns(fd: number): boolean {
  const value = Buffer.alloc(4);
  try {
    getOption(fd, 'SO_PEERPIDFD', SO_PEERPIDFD, value);
  } catch (error) {
    // A kernel that does not know it; others refuse for a process that has been reaped.
    return errnoOf(error) === 'ENOPROTOOPT';
  }
  const pidfd = value.readInt32LE(0);
  try {
    return !pidFdExited(pidfd);
  } finally {
    closeSync(pidfd);
  }
}
