import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { conflict } from '@cleat/protocol/errors';
import { type ByteName, entryAt } from './names.js';

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

interface Level {
  /** Open, except far above where we are. */
  fd: number | undefined;
  device: bigint;
  inode: bigint;
}

/**
 * A way down a tree by descriptors: no path grows, and however deep it goes, few descriptors are open. A directory far
 * above is closed, and opened again as its child's `..` when the way leads back; it must be the same one then, which
 * fails only if somebody moved it meanwhile. No symlink is followed.
 */
export class Descent implements Disposable {
  readonly #levels: Level[] = [];
  readonly #keepOpen: number;

  /** @param fd a directory; stays the caller's, and stays open */
  constructor(fd: number, options: { keepOpen?: number } = {}) {
    this.#keepOpen = options.keepOpen ?? 32;
    this.#push(fd);
  }

  /** The directory where we are. */
  get fd(): number {
    const { fd } = this.#last();
    if (fd === undefined) throw new TypeError('the directory where we are is open');
    return fd;
  }

  /** 0 at the start. */
  get depth(): number {
    return this.#levels.length - 1;
  }

  /** Goes into a directory. @throws ENOENT, ENOTDIR, ELOOP: it is not, or no longer, a directory */
  enter(name: ByteName): number {
    const fd = openSync(entryAt(this.fd, name), directoryFlags);
    this.#push(fd);
    const distant = this.depth - this.#keepOpen;
    if (distant > 0) this.#close(distant);
    return fd;
  }

  /** Back to the directory above. @throws CleatError Conflict when that one was moved away */
  leave(): void {
    const above = this.#levels[this.depth - 1];
    if (!above) throw new TypeError('there is nothing above the start');
    if (above.fd === undefined) above.fd = reopened(this.fd, above);
    this.#close(this.depth);
    this.#levels.pop();
  }

  [Symbol.dispose](): void {
    for (let at = this.depth; at > 0; at--) this.#close(at);
    this.#levels.length = 1;
  }

  #push(fd: number): void {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    this.#levels.push({ fd, device: dev, inode: ino });
  }

  #close(at: number): void {
    const level = this.#levels[at];
    if (level?.fd === undefined) return;
    closeSync(level.fd);
    level.fd = undefined;
  }

  #last(): Level {
    const level = this.#levels[this.depth];
    if (!level) throw new TypeError('a descent has a start');
    return level;
  }
}

function reopened(childFd: number, { device, inode }: Level): number {
  const fd = openSync(entryAt(childFd, '..'), directoryFlags);
  const { dev, ino } = fstatSync(fd, { bigint: true });
  if (dev === device && ino === inode) return fd;
  closeSync(fd);
  throw conflict('a directory was moved while what is in it was being read');
}
