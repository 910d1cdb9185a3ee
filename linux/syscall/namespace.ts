import { closeSync, openSync } from 'node:fs';
import { callC } from './ffi.js';

const CLONE_NEWNET = 0x40000000;
const prototype = 'int setns(int fd, int type)';

/**
 * Runs `work` with this thread in another network namespace. A socket belongs for good to the namespace that it was
 * made in, so `work` makes sockets and nothing else; it must not wait, and nothing else of this thread runs meanwhile.
 * @param path file of the namespace
 * @throws CleatError System with ENOENT, EINVAL (no namespace), EPERM; what `work` throws
 */
export function inNetworkNamespace<T>(path: string, work: () => T): T {
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const other = openSync(path, 'r');
    try {
      callC(prototype, path, other, CLONE_NEWNET);
    } finally {
      closeSync(other);
    }
    try {
      return work();
    } finally {
      // The kernel has no reason to refuse; if it did, all that follows would happen in the wrong place.
      if (!isBack(own)) process.abort();
    }
  } finally {
    closeSync(own);
  }
}

function isBack(own: number): boolean {
  try {
    callC(prototype, 'the own network namespace', own, CLONE_NEWNET);
    return true;
  } catch {
    return false;
  }
}
