import { closeSync, constants, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { unavailable } from '@cleat/protocol/errors';
import type { OutputFrame } from '../streams/service.js';

/** Bytes that are held in memory for a reader; what exceeds them goes to a file. */
const memoryLimit = 256 * 1024;
const headerSize = 5;
/**
 * Bytes in the file from which on the process is made to wait until its reader has them all. The file is in the exec
 * root, which is memory on most hosts: enough for bursts, and little for many readers that sleep.
 */
const spillLimit = 4 * 1024 * 1024;

export interface SpillOptions {
  /** Bytes in the file; a little more may come, and twice as much ends the stream. */
  limit?: number;
  /** The queue has become full, or empty again. */
  onFull?(full: boolean): void;
}

/**
 * Output between a process and a client that reads at its own pace. Frames are taken at once: a slow reader costs a
 * little disk, and not the process's progress. Who is too far behind costs that, too (`onFull`).
 */
export class SpillQueue {
  readonly #path: string;
  #memory: OutputFrame[] = [];
  #memoryBytes = 0;
  /** While the file holds unread frames everything goes there: order is kept. */
  #file: { fd: number; read: number; written: number } | undefined;
  #ended = false;
  /** Why there is no more, when there should be. */
  #failure: Error | undefined;
  #wake: () => void = () => {};
  readonly #limit: number;
  readonly #onFull: (full: boolean) => void;
  #full = false;

  /** @param path of the file, made when it is needed */
  constructor(path: string, { limit = spillLimit, onFull = () => {} }: SpillOptions = {}) {
    this.#path = path;
    this.#limit = limit;
    this.#onFull = onFull;
  }

  push(frame: OutputFrame): void {
    if (this.#ended || frame.data.length === 0) return;
    if (!this.#file && this.#memoryBytes + frame.data.length <= memoryLimit) {
      this.#memory.push(frame);
      this.#memoryBytes += frame.data.length;
    } else {
      try {
        this.#spill(frame);
      } catch (cause) {
        // A full disk, or no descriptor left: the reader gets what there is, and is told that it is not all.
        this.#failure = unavailable('output was lost: it could not be kept for its reader', { cause });
        this.#ended = true;
      }
    }
    this.#wake();
  }

  #spill({ stream, data }: OutputFrame): void {
    this.#file ??= {
      fd: openSync(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600),
      read: 0,
      written: 0,
    };
    const header = Buffer.alloc(headerSize);
    header.writeUInt8(stream, 0);
    header.writeUInt32BE(data.length, 1);
    // The process was to wait, and did not: it has ended, and what it started prints on without end.
    if (this.#file.written + header.length + data.length > 2 * this.#limit)
      throw unavailable(`its reader is more than ${2 * this.#limit} bytes behind`);
    // `written` moves once all of the frame is there: half of one is never read.
    let at = this.#file.written;
    for (const part of [header, data]) {
      for (let done = 0; done < part.length; )
        done += writeSync(this.#file.fd, part, done, part.length - done, at + done);
      at += part.length;
    }
    this.#file.written = at;
    if (at >= this.#limit) this.#setFull(true);
  }

  #setFull(full: boolean): void {
    if (full === this.#full) return;
    this.#full = full;
    this.#onFull(full);
  }

  /** No more frames come; the reader gets what there is. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Nobody reads from now on: everything is dropped, and so is what comes. */
  drop(): void {
    this.#memory = [];
    this.#memoryBytes = 0;
    this.#closeFile();
    this.end();
  }

  #closeFile(): void {
    if (!this.#file) return;
    closeSync(this.#file.fd);
    rmSync(this.#path, { force: true });
    this.#file = undefined;
    this.#setFull(false);
  }

  #take(): OutputFrame | undefined {
    const frame = this.#memory.shift();
    if (frame) {
      this.#memoryBytes -= frame.data.length;
      return frame;
    }
    const file = this.#file;
    if (!file) return undefined;
    if (file.read >= file.written) {
      this.#closeFile();
      return undefined;
    }
    const header = Buffer.alloc(headerSize);
    readSync(file.fd, header, 0, headerSize, file.read);
    const data = Buffer.alloc(header.readUInt32BE(1));
    readSync(file.fd, data, 0, data.length, file.read + headerSize);
    file.read += headerSize + data.length;
    if (file.read === file.written) this.#closeFile();
    return { stream: header.readUInt8(0) === 2 ? 2 : 1, data };
  }

  /** To be iterated once. */
  async *frames(): AsyncGenerator<OutputFrame> {
    try {
      for (;;) {
        const frame = this.#take();
        if (frame) yield frame;
        else if (this.#failure) throw this.#failure;
        else if (this.#ended) return;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      this.drop();
    }
  }
}
