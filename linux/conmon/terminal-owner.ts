import { chownSync, closeSync, fstatSync, openSync } from 'node:fs';
import { errnoOf } from '../syscall/errno.js';

const O_PATH = 0o10000000;
/** Majors of pseudo-terminals' slaves (Linux `Documentation/admin-guide/devices.txt`). */
const isTerminal = (device: number): boolean => {
  const major = (device >> 8) & 0xfff;
  return major >= 136 && major <= 143;
};

/**
 * Gives the terminal of a process that has just begun to its user, so that it can open it again by name. crun before
 * 1.8.2 leaves that of a further process to the user whom the container was made for.
 */
export function giveTerminal(pid: number, uid: number): void {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/fd/0`, O_PATH);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '')) return; // It has ended already, or closed it.
    throw error;
  }
  try {
    const { uid: owner, gid, rdev } = fstatSync(fd);
    if (isTerminal(rdev) && owner !== uid) chownSync(`/proc/self/fd/${fd}`, uid, gid);
  } finally {
    closeSync(fd);
  }
}
