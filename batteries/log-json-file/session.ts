import type { Logger } from '@cleat/protocol/log';
import { FifoReader } from './fifo.js';
import type { Report } from './messages.js';
import type { FileOptions } from './options.js';
import { Sink, type SinkReport } from './sink.js';
import { type SinkWorker, workerExists } from './sink-worker.js';

/** More than this within the window is a burst, and the worker's. */
const burstBytes = 256 * 1024;
const windowMs = 200;
/** So much may lie between the threads; then the FIFO waits. */
const aheadBytes = 1024 * 1024;

/** One container's log: from the FIFO into the file. */
export class Session {
  readonly id: string;
  readonly options: FileOptions;
  readonly #log: Logger;
  readonly #worker: SinkWorker;
  readonly #fifo: FifoReader;
  #sink: Sink | undefined;
  #windowBegan = 0;
  #windowBytes = 0;
  #ahead = 0;
  #isClosed: () => void = () => {};
  readonly #closed: Promise<void>;

  /** @throws Error of the system when there is no such FIFO */
  constructor(fifoPath: string, options: FileOptions, worker: SinkWorker, log: Logger) {
    this.id = fifoPath;
    this.options = options;
    this.#log = log;
    this.#worker = worker;
    this.#sink = new Sink(options);
    this.#closed = new Promise((resolve) => {
      this.#isClosed = resolve;
    });
    this.#fifo = new FifoReader(fifoPath, (chunk) => this.#take(chunk));
    void this.#fifo.over.then(() => this.#finish());
  }

  /** Settles when everything is in the file and the file is closed. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  async stop(): Promise<void> {
    await this.#fifo.stop();
    await this.#closed;
  }

  /** From the worker. */
  reported(report: Report): void {
    this.#complain(report.report);
    if (report.event === 'closed') {
      this.#isClosed();
      return;
    }
    this.#ahead -= report.bytes;
    if (this.#ahead < aheadBytes / 2) this.#fifo.resume();
  }

  /** The worker is no more; what it had not written is lost, and the rest is written here. */
  workerFailed(): void {
    if (this.#sink) return;
    this.#sink = new Sink(this.options, new Uint8Array());
    this.#ahead = 0;
    this.#fifo.resume();
  }

  #take(chunk: Buffer): void {
    if (this.#sink && this.#isBurst(chunk.length)) this.#handOver(this.#sink);
    if (this.#sink) {
      this.#sink.push(chunk);
      this.#complain(this.#sink.takeReport());
      return;
    }
    this.#worker.send({ call: 'push', id: this.id, chunk });
    this.#ahead += chunk.length;
    if (this.#ahead > aheadBytes) this.#fifo.pause();
  }

  #isBurst(bytes: number): boolean {
    const now = Date.now();
    if (now - this.#windowBegan > windowMs) {
      this.#windowBegan = now;
      this.#windowBytes = 0;
    }
    this.#windowBytes += bytes;
    return workerExists && this.#windowBytes > burstBytes;
  }

  #handOver(sink: Sink): void {
    this.#sink = undefined;
    this.#worker.send({ call: 'open', id: this.id, options: this.options, rest: sink.rest });
    void sink.close(false);
  }

  async #finish(): Promise<void> {
    if (!this.#sink) {
      this.#worker.send({ call: 'close', id: this.id });
      return;
    }
    try {
      await this.#sink.close(true);
    } catch (error) {
      this.#log.warn(`${this.options.path}: ${error instanceof Error ? error.message : error}`);
    }
    this.#isClosed();
  }

  #complain(report: SinkReport | undefined): void {
    if (!report) return;
    const { skipped, dropped, reason } = report;
    if (dropped > 0) this.#log.error(`${this.options.path}: ${dropped} bytes could not be written: ${reason}`);
    if (skipped > 0) this.#log.warn(`${this.options.path}: ${skipped} bytes of the stream were no log entries`);
  }
}
