/**
 * Calls that Node has only in a form that follows symlinks. Between two calls a container may put a symlink where a
 * file was, and followed from here it would lead into the host.
 */
import { chmodSync, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { callC } from '../syscall/ffi.js';
import { type BytePath, O_PATH } from '../syscall/files.js';
import { hasVanished } from './walk.js';

const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;

/** chmod of exactly this entry. @throws ENOTSUP when it has become a symlink */
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

/**
 * Opens a regular file for reading; a FIFO or a device in its place is not opened.
 * @returns undefined when it is gone, or no regular file
 */
export function openFile(path: Buffer): number | undefined {
  let handle: number;
  try {
    handle = openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasVanished(error)) return undefined;
    throw error;
  }
  try {
    return fstatSync(handle).isFile() ? openSync(`/proc/self/fd/${handle}`, constants.O_RDONLY) : undefined;
  } finally {
    closeSync(handle);
  }
}
