import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, type Stats } from 'node:fs';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { O_PATH, openInRoot } from '@cleat/linux/syscall/files';

/**
 * Looking into a container's mounted root file system, which is ours (an overlay of our layers), in process. Symlinks
 * resolve inside it, and nothing but regular files and directories is ever opened: a FIFO or a device would block.
 */
function inspect<T>(root: string, path: string, use: (stats: Stats, pathOfFd: string) => T): T | undefined {
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const fd = openInRoot(rootFd, path, O_PATH);
    try {
      return use(fstatSync(fd), `/proc/self/fd/${fd}`);
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

/** At most `limit` bytes of a regular file as text; undefined when it is none, or not there. */
export function readTextInRoot(root: string, path: string, limit: number): string | undefined {
  return inspect(root, path, (stats, pathOfFd) => {
    if (!stats.isFile()) return undefined;
    const fd = openSync(pathOfFd, constants.O_RDONLY);
    try {
      const buffer = Buffer.alloc(Math.min(stats.size, limit));
      return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(fd);
    }
  });
}

/** Whether there is something, and if it is a directory: what belongs to it. */
export function statInRoot(
  root: string,
  path: string,
): { directory: boolean; empty: boolean; uid: number; gid: number; mode: number } | undefined {
  return inspect(root, path, (stats, pathOfFd) => ({
    directory: stats.isDirectory(),
    empty: stats.isDirectory() && readdirSync(pathOfFd).length === 0,
    uid: stats.uid,
    gid: stats.gid,
    mode: stats.mode & 0o7777,
  }));
}
