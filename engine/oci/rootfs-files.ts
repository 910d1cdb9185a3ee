import { closeSync, constants, fstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { O_PATH, openInRoot } from '@cleat/linux/syscall/files';

/**
 * Looking into a container's mounted root file system, which is ours (an overlay of our layers), in process. Symlinks
 * resolve inside it, and nothing but regular files and directories is ever opened: a FIFO or a device would block.
 * @param use gets what it is, how to open it, and where it lies inside the root
 * @returns undefined when nothing is there
 */
export function openedInRoot<T>(
  root: string,
  path: string,
  use: (stats: Stats, pathOfFd: string, real: string) => T,
): T | undefined {
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const fd = openInRoot(rootFd, path, O_PATH);
    try {
      const top = readlinkSync(`/proc/self/fd/${rootFd}`);
      const real = readlinkSync(`/proc/self/fd/${fd}`).slice(top.length) || '/';
      return use(fstatSync(fd), `/proc/self/fd/${fd}`, real);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') return undefined;
    throw error;
  } finally {
    closeSync(rootFd);
  }
}

/** At most `limit` bytes of a regular file as text. */
export function readOpened(pathOfFd: string, limit: number): string {
  const fd = openSync(pathOfFd, constants.O_RDONLY);
  try {
    const buffer = Buffer.alloc(limit);
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** Whether there is something, and if it is a directory: what belongs to it. */
export function statInRoot(
  root: string,
  path: string,
): { directory: boolean; empty: boolean; uid: number; gid: number; mode: number } | undefined {
  return openedInRoot(root, path, (stats, pathOfFd) => ({
    directory: stats.isDirectory(),
    empty: stats.isDirectory() && readdirSync(pathOfFd).length === 0,
    uid: stats.uid,
    gid: stats.gid,
    mode: stats.mode & 0o7777,
  }));
}
