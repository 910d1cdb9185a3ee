import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { makeFifo } from '../../fifo.js';

const retryMs = 2;

/**
 * The FIFO of one container, as engines keep it: open for reading, too, so that opening it waits for nobody, and what
 * lies in it survives a plugin that dies (moby `daemon/logger/plugin_unix.go`).
 */
export class LogStream {
  readonly path: string;
  #fd: number | undefined;

  private constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  static async make(path: string): Promise<LogStream> {
    await makeFifo(path);
    return new LogStream(path);
  }

  /** Writes for as long as the other side reads. @returns how many bytes went in until it read nothing for so long */
  async write(bytes: Uint8Array, patienceMs: number): Promise<number> {
    let written = 0;
    for (let end = Date.now() + patienceMs; written < bytes.length && Date.now() < end; ) {
      const taken = this.#writeSome(bytes.subarray(written));
      written += taken;
      if (taken > 0) end = Date.now() + patienceMs;
      else await pause(retryMs);
    }
    return written;
  }

  /** The end of file for the reader. */
  end(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** The end of file; then the FIFO goes. */
  close(): void {
    if (this.#fd === undefined) return;
    this.end();
    rmSync(this.path, { force: true });
  }

  /** Whether somebody has it open for reading, after `end`. */
  hasReader(): boolean {
    try {
      closeSync(openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK));
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENXIO') return false;
      throw error;
    }
  }

  #writeSome(bytes: Uint8Array): number {
    if (this.#fd === undefined) return 0;
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
      throw error;
    }
  }
}
