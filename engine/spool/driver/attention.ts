/**
 * Whether a driver reads its FIFO. The kernel tells what lies in it, not what was taken out: as long as a container goes
 * on printing, what lies there changes all the time, also when nobody reads.
 */
export class Attention {
  #written = 0;
  /** Bytes that were surely read of these, the most that was ever seen. */
  #read = Number.NEGATIVE_INFINITY;
  #unread = 0;
  #since = Date.now();

  /**
   * @param written bytes, since the present feed began; perhaps some more by now
   * @param unread bytes that lie in the FIFO now
   */
  wrote(written: number, unread: number): void {
    const another = written < this.#written;
    this.#written = written;
    if (another || written - unread > this.#read) {
      this.#read = written - unread;
      this.#since = Date.now();
    }
    this.#unread = unread;
  }

  /** For how long nothing was read of what lies there; 0 when nothing does. */
  missingMs(unread: number): number {
    if (unread === 0 || unread < this.#unread) this.#since = Date.now();
    this.#unread = unread;
    return Date.now() - this.#since;
  }
}
