import { errnoOf } from './errno.js';
import { callC } from './ffi.js';

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * flock(2), exclusive, without waiting. The kernel drops the lock when the last descriptor of this opening is closed,
 * so that it never outlives a killed process.
 * @returns false when somebody else holds it.
 * @throws CleatError System
 */
export function tryLock(fd: number): boolean {
  try {
    callC('int flock(int fd, int operation)', `fd ${fd}`, fd, LOCK_EX | LOCK_NB);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return false;
    throw error;
  }
}
