import { fstatSync, readdirSync, statSync } from 'node:fs';
import { errnoOf } from '../syscall/errno.js';
import { closeOnExec } from '../syscall/files.js';

/**
 * Keeps a file that a library has opened from the programs that this process starts: Node opens its own in that way, and
 * others may not. Those that are opened later need it again.
 */
export function keepFromPrograms(path: string): void {
  const { dev, ino } = statSync(path, { bigint: true });
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    try {
      const open = fstatSync(fd, { bigint: true });
      if (open.dev === dev && open.ino === ino) closeOnExec(fd);
    } catch (error) {
      // Another thread has closed it, or it was the directory's own.
      if (errnoOf(error) !== 'EBADF') throw error;
    }
  }
}
