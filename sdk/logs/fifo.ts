import { constants, existsSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { within } from '@cleat/protocol/async/deadline';
import { setTimeout } from '@cleat/protocol/guard';

/** How long a writer is waited for, and how long nothing must come before a writer that stays is taken to be done. */
const reopenMs = 20;
const quietMs = 50;

/** Reads a FIFO without ever holding a thread: the engine's end of it may be opened later, or never. */
export class FifoReader {
  readonly #path: string;
  readonly #onData: (chunk: Buffer) => void;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #received = false;
  #receivedAt = 0;
  #paused = false;
  #isOver: () => void = () => {};
  /** Settles when the writer has closed its end, or after `stop`. */
  readonly over: Promise<void>;

  /** @throws Error of the system when there is no such FIFO */
  constructor(path: string, onData: (chunk: Buffer) => void) {
    this.#path = path;
    this.#onData = onData;
    this.over = new Promise((resolve) => {
      this.#isOver = resolve;
    });
    this.#open();
  }

  pause(): void {
    this.#paused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket?.resume();
  }

  /** Reads what is there, then closes. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#socket && !this.#socket.destroyed) {
      const ended = await within(quietMs, this.over, 'quiet');
      if (ended === 'quiet' && !this.#paused && Date.now() - this.#receivedAt >= quietMs) break;
    }
    this.#socket?.destroy();
    this.#isOver();
  }

  #open(): void {
    const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    const socket = new Socket({ fd, readable: true, writable: false });
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#received = true;
      this.#receivedAt = Date.now();
      this.#onData(chunk);
    });
    // A pipe breaks only with its end.
    socket.on('error', () => {});
    socket.on('close', () => this.#closed());
    if (this.#paused) socket.pause();
  }

  #closed(): void {
    if (this.#received || !existsSync(this.#path)) {
      this.#isOver();
      return;
    }
    // Nobody had opened the other end yet.
    this.#timer = setTimeout(() => {
      try {
        this.#open();
      } catch {
        // Removed meanwhile: there was nothing to log.
        this.#isOver();
      }
    }, reopenMs).unref();
  }
}
