import { closeSync, constants, lchownSync, openSync, rmSync } from 'node:fs';
import { makeFifo } from '@cleat/linux/syscall/files';
import { unreadBytes } from '@cleat/linux/syscall/pipe';
import { Backoff } from '@cleat/protocol/async/backoff';

/** Between two looks whether it is empty. */
const pauses = { firstMs: 1, longestMs: 100 };

export interface FifoPlace {
  readonly path: string;
  /** The same as its driver sees it, which may have a root file system of its own. */
  readonly told: string;
  /** The user of the driver, unless it is root. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** The FIFO between the engine and a driver, made anew for each connection. */
export class Fifo {
  readonly path: string;
  /** Non-blocking; writing to a full FIFO fails with EAGAIN. */
  readonly fd: number;

  constructor({ path, owner }: Omit<FifoPlace, 'told'>) {
    this.path = path;
    rmSync(path, { force: true });
    makeFifo(path, 0o600);
    if (owner) lchownSync(path, owner.uid, owner.gid);
    // Open for reading, too: then opening never waits for the driver, and what lies in it survives the driver's
    // absence.
    this.fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  /** Bytes that the driver has not read. */
  unread(): number {
    return unreadBytes(this.fd);
  }

  /** Resolves when the driver has read everything, or has read nothing for `quietMs`. */
  async emptied(quietMs: number): Promise<void> {
    let readAt = Date.now();
    let before = this.unread();
    const backoff = new Backoff(pauses);
    while (before > 0 && Date.now() - readAt < quietMs) {
      await backoff.wait({ ref: false });
      const unread = this.unread();
      if (unread !== before) readAt = Date.now();
      before = unread;
    }
  }

  /** Nobody may write now. */
  close(): void {
    closeSync(this.fd);
    rmSync(this.path, { force: true });
  }
}
