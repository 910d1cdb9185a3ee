/**
 * What Node has only in a form that follows symlinks. Between two calls a container may put a symlink where a file
 * was, and followed from here it would lead into the host.
 */
import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { callC } from '../syscall/ffi.js';
import { type BytePath, O_PATH } from '../syscall/files.js';

const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;

/** chmod of exactly this entry. @throws EOPNOTSUPP when it has become a symlink */
export function chmodNoFollow(path: BytePath, mode: number): void {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}

/** Another name for an open file (which O_PATH suffices for). @throws CleatError System */
export function linkDescriptor(fd: number, path: Buffer): void {
  const prototype = 'int linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)';
  const target = Buffer.concat([path, Buffer.alloc(1)]);
  callC(prototype, String(path), AT_FDCWD, `/proc/self/fd/${fd}`, AT_FDCWD, target, AT_SYMLINK_FOLLOW);
}
