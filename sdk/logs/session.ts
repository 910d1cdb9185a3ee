import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { FifoReader } from './fifo.js';
import type { Report } from './messages.js';
import type { LogDestination, Sink, SinkReport } from './sink.js';
import type { SinkWorker } from './sink-worker.js';

/** More than this within the window is a burst, and the worker's. */
const burstBytes = 256 * 1024;
const windowMs = 200;
/**
 * So much may lie between the threads; then the FIFO waits. Engines send again, after a crash of ours, what we read last:
 * that must not be less than what we had in hand.
 */
const aheadBytes = 64 * 1024;

export interface SessionOptions<Options> {
  /** By which the worker knows it. */
  id: string;
  /** The FIFO. */
  path: string;
  options: Options;
  destination: LogDestination<Options>;
  worker: SinkWorker;
  /** The worker has it from its beginning: for a destination that cannot be handed over. */
  alwaysWorker: boolean;
  log: Logger;
}

/** One container's log: from the FIFO into its sink. */
export class Session<Options> {
  readonly id: string;
  readonly options: Options;
  readonly #settings: SessionOptions<Options>;
  readonly #fifo: FifoReader;
  #sink: Sink | undefined;
  #pushing: Promise<void> | undefined;
  #windowBegan = 0;
  #windowBytes = 0;
  #ahead = 0;
  #stopping = false;
  #isClosed: () => void = () => {};
  readonly #closed: Promise<void>;

  /** @throws Error of the system when there is no such FIFO, or the sink cannot be opened */
  constructor(settings: SessionOptions<Options>) {
    const { id, path, options, destination, worker, alwaysWorker } = settings;
    this.id = id;
    this.options = options;
    this.#settings = settings;
    this.#closed = new Promise((resolve) => {
      this.#isClosed = resolve;
    });
    if (alwaysWorker && worker.exists) worker.send({ call: 'open', id: this.id, options, rest: new Uint8Array() });
    else this.#sink = destination.open(options);
    this.#fifo = new FifoReader(path, (chunk) => this.#take(chunk));
    void this.#fifo.over.then(() => this.#finish());
  }

  /** Settles when everything is where it belongs and the sink is closed. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** It was told to end; what it has goes on its way. */
  get stopping(): boolean {
    return this.#stopping;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#sink) this.#sink.ending?.();
    else this.#settings.worker.send({ call: 'ending', id: this.id });
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
    this.#sink = this.#settings.destination.open(this.options, new Uint8Array());
    this.#ahead = 0;
    this.#fifo.resume();
  }

  #take(chunk: Buffer): void {
    if (this.#sink && !this.#pushing && this.#isBurst(chunk.length)) this.#handOver(this.#sink);
    if (this.#sink) {
      this.#push(this.#sink, chunk);
      return;
    }
    this.#settings.worker.send({ call: 'push', id: this.id, chunk });
    this.#ahead += chunk.length;
    if (this.#ahead > aheadBytes) this.#fifo.pause();
  }

  #push(sink: Sink, chunk: Buffer): void {
    if (!this.#pushing) {
      const pushed = sink.push(chunk);
      this.#complain(sink.takeReport());
      if (!pushed) return;
      this.#pushing = pushed;
    } else {
      this.#pushing = this.#pushing.then(() => sink.push(chunk));
    }
    this.#fifo.pause();
    const pushing = this.#pushing;
    const done = () => {
      this.#complain(sink.takeReport());
      if (this.#pushing !== pushing) return;
      this.#pushing = undefined;
      this.#fifo.resume();
    };
    pushing.then(done, (error: unknown) => {
      this.#complain({ skipped: 0, dropped: chunk.length, reason: messageOf(error) });
      done();
    });
  }

  #isBurst(bytes: number): boolean {
    const now = Date.now();
    if (now - this.#windowBegan > windowMs) {
      this.#windowBegan = now;
      this.#windowBytes = 0;
    }
    this.#windowBytes += bytes;
    return this.#settings.worker.exists && this.#windowBytes > burstBytes;
  }

  #handOver(sink: Sink): void {
    this.#sink = undefined;
    this.#settings.worker.send({ call: 'open', id: this.id, options: this.options, rest: sink.rest });
    void sink.close(false);
  }

  async #finish(): Promise<void> {
    if (!this.#sink) {
      this.#settings.worker.send({ call: 'close', id: this.id });
      return;
    }
    try {
      await this.#pushing;
      await this.#sink.close(true);
      this.#complain(this.#sink.takeReport());
    } catch (error) {
      this.#settings.log.warn(`a log could not be closed: ${messageOf(error)}`, { fifo: this.#settings.path });
    }
    this.#isClosed();
  }

  #complain(report: SinkReport | undefined): void {
    if (!report) return;
    const { skipped, dropped, reason } = report;
    const { log } = this.#settings;
    if (dropped > 0)
      log.error(`${dropped} bytes of output could not be written: ${reason}`, { fifo: this.#settings.path });
    else if (reason !== '') log.warn(reason, { fifo: this.#settings.path });
    if (skipped > 0) log.warn(`${skipped} bytes of the stream were no log entries`, { fifo: this.#settings.path });
  }
}
