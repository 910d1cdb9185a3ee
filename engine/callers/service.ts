import type { Caller } from '@cleat/protocol/caller';

/** Tells which process is at the other end of a connection to the API. */
export interface Callers {
  /**
   * Looks at once, and only then is it sure whose process it is.
   * @param fd of a UNIX socket that was just accepted; stays its owner's
   */
  atSocket(fd: number): Caller;
  /**
   * Whether the other end of a connection has closed its side, as the kernel knows it: nothing is read, and what was sent
   * before may not be read yet.
   * @param fd of a connected socket; stays its owner's
   */
  hasHungUp(fd: number): boolean;
}
