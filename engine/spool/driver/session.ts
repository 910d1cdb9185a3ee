import { existsSync } from 'node:fs';
import type { Extensions } from '@cleat/extensions/service';
import { Backoff } from '@cleat/protocol/async/backoff';
import { asCleatError, CleatError, cancelled, isClass, messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { LogInfo } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import type { Delivery, SpoolPosition } from '../service.js';
import type { SpoolFile } from '../spool-file.js';
import { Connection } from './connection.js';
import type { FifoPlace } from './fifo.js';
import type { OpenSessions } from './open-sessions.js';
import { type Dropped, nothing, readProgress, writeProgress } from './progress.js';
import { Pump } from './pump.js';
import { Reconnection } from './reconnection.js';
import type { Runner } from './runner.js';

/** Several notices of one burst are one. */
const gatherMs = 5;
/** A driver that leaves something in its FIFO for so long has forgotten us. */
const unreadMs = 10_000;
/** A driver that is asked once more, while its container starts anyway or runs, answers soon or later. */
const againMs = 3000;
/** Between two looks whether a FIFO is empty. */
const emptyPauses = { firstMs: 1, longestMs: 100 };

export interface SessionOptions {
  /** The container. */
  id: string;
  /** This session, among all that there ever were. */
  key: string;
  driver: string;
  info: LogInfo;
  file: SpoolFile;
  /** Bytes that may wait for the driver. */
  bound: number;
  fifo: () => FifoPlace;
  extensions: Extensions;
  open: OpenSessions;
  log: Logger;
  runners: { main: Runner; worker: Runner };
  /** So much more was dropped. */
  onDropped: (more: Dropped) => void;
}

/**
 * One container's connection to its log driver. All that may block or take long happens elsewhere: the container never
 * waits, and neither does the engine.
 */
export class DriverSession {
  readonly #options: SessionOptions;
  readonly #log: Logger;
  readonly #progressPath: string;
  readonly #connection: Connection;
  readonly #pump: Pump;
  readonly #abort = new AbortController();
  #dropped = nothing;
  #written = 0;
  #gathering: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;
  #started = false;
  #ended = false;
  #stopping = false;
  readonly #reconnection: Reconnection;
  #unsettled = false;
  /** Everything there is went into the FIFO. */
  #idle = false;
  #emptying = false;
  /** Settles once nothing here touches the spool's files. */
  readonly released: Promise<void>;
  #isReleased: () => void = () => {};
  /** Settles once the driver was told to stop and the FIFO is gone. */
  readonly stopped: Promise<void>;
  #isStopped: () => void = () => {};

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#log = options.log.child({ container: options.id });
    const { id, key, driver, info, file, bound, fifo, extensions, open, runners } = options;
    this.#progressPath = `${file.files.path}.driver`;
    this.#pump = new Pump({ key, file, progressPath: this.#progressPath, bound, runners });
    this.#connection = new Connection({ id, driver, info, fifo, extensions, open });
    this.#reconnection = new Reconnection({
      driver,
      info,
      extensions,
      log: this.#log,
      signal: this.#abort.signal,
      attempt: () => this.#reconnect(),
    });
    this.released = new Promise((resolve) => {
      this.#isReleased = resolve;
    });
    this.stopped = new Promise((resolve) => {
      this.#isStopped = resolve;
    });
  }

  /** The facts about the container that the driver gets. */
  get info(): LogInfo {
    return this.#options.info;
  }

  get driver(): string {
    return this.#options.driver;
  }

  /** The driver surely has what is before, or will never get it. */
  get delivered(): SpoolPosition {
    return readProgress(this.#progressPath)?.position ?? this.#pump.from.kept;
  }

  /** Why nothing is delivered just now; empty: it is. */
  get reason(): string {
    return this.#reconnection.reason;
  }

  get delivery(): Delivery {
    const { id, file } = this.#options;
    return { id, behind: file.files.distance(this.delivered), dropped: this.#dropped, reason: this.reason };
  }

  /**
   * Connects to the driver. One that accepted this container before, and is not there now, holds no start up: it gets
   * its part when it comes back.
   * @param running the container runs already: whatever happens, it is tried again
   * @throws CleatError `failed to initialize logging driver: …`
   */
  async start({ running }: { running: boolean }): Promise<void> {
    const progress = readProgress(this.#progressPath);
    this.#dropped = progress?.dropped ?? nothing;
    this.#pump.startFrom(progress?.position ?? this.#options.file.beginning(), this.#dropped);
    if (running) {
      this.#started = true;
      void this.reconnect('');
      this.#listen();
      return;
    }
    try {
      // An engine that died could not say it.
      if (progress?.active) await this.#connection.stop();
      await this.#open(progress ? againMs : undefined);
      this.#started = true;
    } catch (cause) {
      const error = asCleatError(cause);
      this.#started = progress !== undefined && (isClass(error, 'Unavailable') || isClass(error, 'DeadlineExceeded'));
      if (!this.#started) {
        this.#isReleased();
        this.#isStopped();
        // Not found is the driver, not the container.
        const errorClass = error.class === 'NotFound' ? 'InvalidParameter' : error.class;
        throw new CleatError(errorClass, `failed to initialize logging driver: ${error.message}`, { cause });
      }
      void this.reconnect(error.message);
    }
    if (this.#ended) this.#feed();
    else this.#listen();
  }

  /** Looks whether there is something new; the kernel's notices may be lost. */
  look(): void {
    if (this.#unsettled) this.#settle();
    // A full FIFO is not looked at from here: a driver that reads slowly finds it full again and again.
    if (this.#idle && this.#connection.unreadMs() > unreadMs) void this.reconnect('it does not read');
    if (!this.#ended && !this.#reconnection.running && this.#pump.outdated) this.#gather();
  }

  /** The spool is complete: carries the rest over, then tells the driver to stop, in the background. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unlisten?.();
    clearTimeout(this.#gathering);
    if (this.#started) this.#feed();
  }

  /** The driver has come back, or takes nothing: connects anew, from where it surely has everything. */
  async reconnect(why: string): Promise<void> {
    if (!this.#started || this.#stopping) return;
    await this.#reconnection.run(why);
    this.#feed();
  }

  /** Stops at once; what the driver has not got is carried over when the session begins again. */
  async stop(): Promise<void> {
    if (this.#stopping) return this.stopped;
    this.#stopping = true;
    this.#unlisten?.();
    clearTimeout(this.#gathering);
    this.#abort.abort(cancelled('the log driver is disconnected'));
    try {
      await this.#reconnection.stop();
      const isRead = this.#connection.unread === 0 && this.#connection.fifo !== undefined;
      await this.#disconnect();
      const { exact } = this.#pump.from;
      if (!isRead || !exact) this.#rewind();
      const position = isRead && exact ? exact : this.#pump.from.kept;
      this.#save(position, true);
      this.#isReleased();
      await this.#connection.stop();
      // The session that took the files over has its own progress.
      if (existsSync(this.#progressPath)) this.#save(position, false);
    } finally {
      this.#isReleased();
      this.#isStopped();
    }
  }

  /** From the runner. */
  idle(written: number): void {
    this.#written = written;
    this.#unsettled = true;
    this.#idle = true;
    this.#connection.wrote(written);
  }

  drained(written: number): void {
    this.#written = written;
    this.#stopOnceEmpty().catch((error) => this.#warn('the end of the output may be missing from the log', error));
  }

  droppedFeed(...at: Parameters<Pump['dropped']>): void {
    this.#pump.dropped(...at);
  }

  lost(dropped: Dropped): void {
    const more = { lines: dropped.lines - this.#dropped.lines, bytes: dropped.bytes - this.#dropped.bytes };
    this.#dropped = dropped;
    if (more.bytes > 0) this.#options.onDropped(more);
  }

  failed(message: string): void {
    this.#log.error(`output cannot be carried to log driver ${this.driver}, and is tried again: ${message}`);
    setTimeout(() => void this.reconnect(message), againMs).unref();
  }

  #listen(): void {
    this.#unlisten = this.#options.file.growth.listen(() => this.#gather());
    this.look();
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#feed();
    }, gatherMs).unref();
  }

  #feed(): void {
    const { fifo } = this.#connection;
    if (fifo === undefined || this.#reconnection.running || this.#stopping) return;
    this.#idle = false;
    if (this.#ended && !this.#pump.behind && this.#connection.unread === 0) void this.stop();
    else this.#pump.feed(fifo, this.#ended).catch((error) => this.#warn('the log driver has been disconnected', error));
  }

  async #reconnect(): Promise<void> {
    await this.#disconnect();
    this.#rewind();
    this.#pump.wait();
    await this.#connection.stop(this.#abort.signal);
    await this.#open(againMs);
    await this.#pump.drop();
  }

  async #open(deadlineMs: number | undefined): Promise<void> {
    await this.#connection.open({ signal: this.#abort.signal, deadlineMs });
    this.#save(this.#pump.from.kept, true);
  }

  async #disconnect(): Promise<void> {
    await this.#pump.drop();
    this.#connection.close();
  }

  #rewind(): void {
    this.#pump.rewind();
    this.lost(this.#pump.from.dropped);
  }

  /** Everything is in the FIFO: the driver is told to stop when it has read it. */
  async #stopOnceEmpty(): Promise<void> {
    if (this.#emptying) return;
    this.#emptying = true;
    const backoff = new Backoff(emptyPauses);
    while (!this.#stopping && !this.#reconnection.running) {
      if (this.#connection.unread === 0) return this.stop();
      await backoff.wait({ ref: false });
    }
    this.#emptying = false;
  }

  #settle(): void {
    if (this.#connection.unread > 0) return;
    this.#unsettled = false;
    this.#pump.settle(this.#written);
  }

  #save(position: SpoolPosition, active: boolean): void {
    try {
      writeProgress(this.#progressPath, { position, active, dropped: this.#dropped });
    } catch (error) {
      // Removed with its container, or the disk is full: at worst the driver gets some lines twice.
      this.#log.debug(`log driver ${this.driver}: ${messageOf(error)}`);
    }
  }

  #warn(what: string, error: unknown): void {
    const why = error === undefined ? '' : `: ${messageOf(error)}`;
    this.#log.warn(`log driver ${this.driver}: ${what}${why}`);
  }
}
