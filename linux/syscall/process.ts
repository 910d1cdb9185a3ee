import { closeSync } from 'node:fs';
import { callC, rawSyscall } from './ffi.js';
import { isReady, POLLIN } from './poll.js';

const PIDFD_OPEN = 434;
const PIDFD_GETFD = 438;

/** pidfd_open(2). @throws CleatError System with ESRCH when there is no such process */
export function openPidFd(pid: number): number {
  return rawSyscall('pidfd_open', PIDFD_OPEN, `${pid}`, pid, 0);
}

/** Whether the process behind a pidfd has ended; answers at once. */
export const pidFdExited = (fd: number): boolean => isReady(fd, POLLIN, `pidfd ${fd}`);

/**
 * Descriptors of the same open files that another process has (pidfd_getfd(2)); who gets them closes them.
 * @param fds as that process numbers them
 * @throws CleatError System with ESRCH, EBADF, EPERM; then none is left open
 */
export function descriptorsOf(pid: number, fds: readonly number[]): number[] {
  const pidfd = openPidFd(pid);
  const taken: number[] = [];
  try {
    for (const fd of fds) taken.push(rawSyscall('pidfd_getfd', PIDFD_GETFD, `${fd} of ${pid}`, pidfd, fd, 0));
    return taken;
  } catch (error) {
    for (const fd of taken) closeSync(fd);
    throw error;
  } finally {
    closeSync(pidfd);
  }
}

/** prctl(PR_SET_PDEATHSIG): this process is killed when the thread that started it ends. */
export function dieWithParent(): void {
  callC('int prctl(int option, unsigned long signal)', 'PR_SET_PDEATHSIG', 1, 9);
}

/** Whether a process of that number exists (it may be a zombie, or another one that got the number since). */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM says that it exists and is not ours.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
