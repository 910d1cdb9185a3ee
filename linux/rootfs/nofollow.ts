/**
 * What Node has only in a form that follows symlinks. Between two calls a container may put a symlink where a file
 * was, and followed from here it would lead into the host.
 */
import { chmodSync, closeSync, constants, lstatSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { callC } from '../syscall/ffi.js';
import { O_PATH } from '../syscall/files.js';
import { entryPath } from './root.js';

const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;

/** chmod of exactly this entry. @throws EOPNOTSUPP when it has become a symlink */
export function chmodNoFollow(path: string, mode: number): void {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}

/** Another name for an open file (which O_PATH suffices for). @throws CleatError System */
export function linkDescriptor(fd: number, path: string): void {
  const prototype = 'int linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)';
  callC(prototype, path, AT_FDCWD, `/proc/self/fd/${fd}`, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/** Removes an entry of an open directory, and everything below it. */
export function removeEntry(directoryFd: number, name: string): void {
  const path = entryPath(directoryFd, name);
  if (!lstatSync(path).isDirectory()) {
    unlinkSync(path);
    return;
  }
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    for (const child of readdirSync(`/proc/self/fd/${fd}`)) removeEntry(fd, child);
  } finally {
    closeSync(fd);
  }
  rmdirSync(path);
}
