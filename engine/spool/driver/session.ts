import { setTimeout as pause } from 'node:timers/promises';
import type { Extensions } from '@cleat/extensions/service';
import { asCleatError, CleatError, messageOf } from '@cleat/protocol/errors';
import { outcomeUnknown } from '@cleat/protocol/kinds/kind';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import { sizeOf } from '../files.js';
import type { SpoolPosition } from '../service.js';
import type { SpoolFile } from '../spool-file.js';
import type { Resumption } from './feed.js';
import { Fifo } from './fifo.js';
import type { OpenSessions } from './open-sessions.js';
import { readProgress, writeProgress } from './progress.js';
import type { Runner } from './runner.js';

/** So much in so short a time is the worker's; less is done sooner than it is handed over. What fits a pipe. */
const handOverBytes = 60 * 1024;
/** Several notices of one burst are one. */
const gatherMs = 5;
/** How long a driver that takes nothing is waited for once its container has ended. */
const drainMs = 10_000;
/** So often in a row nothing was taken from the FIFO: its reader is gone, or hangs. */
const patientLooks = 5;
const longestRetryMs = 60_000;

export interface SessionOptions {
  /** The container. */
  id: string;
  /** This session, among all that there ever were. */
  key: string;
  driver: string;
  info: LogInfo;
  file: SpoolFile;
  fifoPath: string;
  extensions: Extensions;
  open: OpenSessions;
  log: Logger;
  runners: { main: Runner; worker: Runner };
}

/**
 * One container's connection to its log driver. All that may block or take long happens elsewhere: the container never
 * waits, and neither does the engine.
 */
export class DriverSession {
  readonly #options: SessionOptions;
  readonly #progressPath: string;
  #fifo: Fifo | undefined;
  #runner: Runner | undefined;
  #from: Resumption;
  #written = 0;
  #lookedAt = 0;
  #gathering: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;
  #started = false;
  #ended = false;
  #stopping = false;
  #reconnecting = false;
  #isDropped: ((at: Resumption | undefined) => void) | undefined;
  #dropping = Promise.resolve();
  #isDrained: (() => void) | undefined;
  #unsettled = false;
  /** Bytes that the driver had taken when it was last looked at, and how often nothing was since. */
  #taken = 0;
  #idleLooks = 0;
  /** Settles once the driver was told to stop and the FIFO is gone. */
  readonly stopped: Promise<void>;
  #isStopped: () => void = () => {};

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#progressPath = `${options.file.files.path}.driver`;
    const start = options.file.beginning();
    this.#from = { exact: start, kept: start };
    this.stopped = new Promise((resolve) => {
      this.#isStopped = resolve;
    });
  }

  get driver(): string {
    return this.#options.driver;
  }

  /** The driver surely has what is before. */
  get delivered(): SpoolPosition {
    return readProgress(this.#progressPath)?.position ?? this.#from.kept;
  }

  /** @throws CleatError `failed to initialize logging driver: …` */
  async start(): Promise<void> {
    const progress = readProgress(this.#progressPath);
    if (progress) this.#from = { exact: progress.position, kept: progress.position };
    try {
      // An engine that died could not say it.
      if (progress?.active) await this.#stopLogging();
      await this.#connect();
    } catch (cause) {
      this.#isStopped();
      const error = asCleatError(cause);
      // Not found is the driver, not the container.
      const errorClass = error.class === 'NotFound' ? 'InvalidParameter' : error.class;
      throw new CleatError(errorClass, `failed to initialize logging driver: ${error.message}`, { cause });
    }
    this.#started = true;
    if (this.#stopping) {
      await this.#disconnect();
    } else if (this.#ended) {
      this.#drainSoon();
    } else {
      this.#unlisten = this.#options.file.growth.listen(() => this.#gather());
      this.look();
    }
  }

  /** Looks whether there is something new; the kernel's notices may be lost. */
  look(): void {
    if (this.#unsettled) this.#settle();
    this.#watchReader();
    if (!this.#ended && !this.#reconnecting && sizeOf(this.#options.file.files.path) !== this.#lookedAt) this.#gather();
  }

  /** The spool is complete: carries the rest over, then tells the driver to stop, in the background. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unlisten?.();
    clearTimeout(this.#gathering);
    if (this.#started) this.#drainSoon();
  }

  /** The driver has come back, or takes nothing: connects anew, from where it surely has everything. */
  async reconnect(reason: string): Promise<void> {
    if (!this.#started || this.#reconnecting || this.#stopping) return;
    this.#reconnecting = true;
    this.#options.log.warn(`log driver ${this.driver} is started again for a container: ${reason}`, this.#fields);
    try {
      for (let wait = 1000; !this.#stopping; wait = Math.min(wait * 2, longestRetryMs)) {
        try {
          await this.#disconnect();
          this.#from = { exact: this.#from.kept, kept: this.#from.kept };
          await this.#stopLogging();
          await this.#connect();
          break;
        } catch (error) {
          this.#options.log.debug(`log driver ${this.driver}: ${messageOf(error)}`, this.#fields);
          await pause(wait, undefined, { ref: false });
        }
      }
    } finally {
      this.#reconnecting = false;
      if (this.#stopping) await this.#disconnect();
    }
    this.#feed(this.#ended);
  }

  /** Stops at once; what the driver has not got is carried over when the session begins again. */
  async stop(): Promise<void> {
    if (this.#stopping) return this.stopped;
    this.#stopping = true;
    this.#unlisten?.();
    clearTimeout(this.#gathering);
    try {
      const isRead = this.#unread() === 0;
      await this.#disconnect();
      await this.#stopLogging();
      const position = isRead && this.#from.exact ? this.#from.exact : this.#from.kept;
      this.#save(position, false);
    } finally {
      this.#isStopped();
    }
  }

  /** From the runner. */
  idle(written: number): void {
    this.#written = written;
    this.#unsettled = true;
  }

  drained(written: number): void {
    this.#written = written;
    this.#isDrained?.();
  }

  dropped(at: Resumption | undefined): void {
    this.#isDropped?.(at);
  }

  failed(message: string): void {
    this.#options.log.error(`output cannot be carried to log driver ${this.driver}: ${message}`, this.#fields);
    this.#isDrained?.();
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#feed(false);
    }, gatherMs).unref();
  }

  /** Lets the runner look; a burst is handed over to the worker. */
  #feed(finish: boolean): void {
    if (this.#fifo === undefined || this.#reconnecting || this.#stopping) return;
    const { key, file, runners } = this.#options;
    const end = file.files.end();
    const begun =
      this.#runner === undefined && end.generation === this.#from.kept.generation ? this.#from.kept.offset : 0;
    const grown = end.offset - Math.max(begun, this.#runner ? this.#lookedAt : 0);
    this.#lookedAt = end.offset;
    if (!this.#runner) {
      if (grown === 0 && !finish) return;
      this.#begin(grown > handOverBytes ? runners.worker : runners.main);
    } else if (this.#runner === runners.main && grown > handOverBytes) {
      this.#handOver(finish).catch((error) => this.#warn('the log driver has been disconnected', error));
      return;
    }
    if (finish) this.#runner?.finish(key);
    else this.#runner?.wake(key);
  }

  #begin(runner: Runner): void {
    if (this.#fifo === undefined) return;
    this.#runner = runner;
    runner.add(this.#options.key, {
      spoolPath: this.#options.file.files.path,
      from: this.#from.exact ?? this.#from.kept,
      kept: this.#from.kept,
      fifo: this.#fifo.fd,
      progressPath: this.#progressPath,
    });
  }

  async #handOver(finish: boolean): Promise<void> {
    await this.#drop();
    if (this.#stopping) return;
    this.#begin(this.#options.runners.worker);
    if (finish || this.#ended) this.#runner?.finish(this.#options.key);
  }

  /** Ends the feed; until then nobody may close the FIFO. */
  #drop(): Promise<void> {
    const runner = this.#runner;
    if (!runner) return this.#dropping;
    this.#runner = undefined;
    const dropped = new Promise<Resumption | undefined>((resolve) => {
      this.#isDropped = resolve;
      runner.drop(this.#options.key);
    });
    this.#dropping = dropped.then((at) => {
      if (at) this.#from = at;
    });
    return this.#dropping;
  }

  async #connect(): Promise<void> {
    const { fifoPath, info, id, open } = this.#options;
    const client = await this.#options.extensions.get(logKind, this.driver);
    this.#fifo = new Fifo(fifoPath);
    await open.begin(id, this.driver);
    try {
      await client.StartLogging({ File: fifoPath, Info: info });
    } catch (error) {
      await this.#disconnect();
      // It may have started unheard; whoever waits for this start does not wait for that.
      if (outcomeUnknown(error)) void open.end(id);
      else open.forget(id);
      throw error;
    }
    this.#save(this.#from.kept, true);
  }

  async #disconnect(): Promise<void> {
    await this.#drop();
    this.#fifo?.close();
    this.#fifo = undefined;
  }

  #stopLogging(): Promise<void> {
    return this.#options.open.end(this.#options.id);
  }

  #drainSoon(): void {
    this.#drain().catch((error) => this.#warn('the end of the output may be missing from the log', error));
  }

  async #drain(): Promise<void> {
    const nothingNew = this.#runner === undefined && !this.#isUnread();
    if (!nothingNew) {
      await this.#finished();
      await this.#fifo?.emptied(drainMs);
    }
    await this.stop();
  }

  #isUnread(): boolean {
    const end = this.#options.file.files.end();
    const { kept } = this.#from;
    return end.generation !== kept.generation || end.offset !== kept.offset;
  }

  /** Everything is in the FIFO, or the driver has taken nothing for too long. */
  async #finished(): Promise<void> {
    const isDrained = new Promise<'drained'>((resolve) => {
      this.#isDrained = () => resolve('drained');
    });
    this.#feed(true);
    for (let before = -1; ; before = this.#unread()) {
      const late = pause(drainMs, 'late' as const, { ref: false });
      if ((await Promise.race([isDrained, late])) === 'drained') return;
      if (this.#unread() !== before) continue;
      this.#warn('the log driver does not read; it gets the rest when the container starts again', undefined);
      return;
    }
  }

  #settle(): void {
    if (this.#unread() > 0) return;
    this.#unsettled = false;
    this.#runner?.settle(this.#options.key, this.#written);
  }

  /** A driver that was killed and is back knows nothing of the FIFO, and nobody may have noticed that it was away. */
  #watchReader(): void {
    const taken = this.#written - this.#unread();
    const idle = this.#unread() > 0 && taken === this.#taken && !this.#reconnecting;
    this.#taken = taken;
    this.#idleLooks = idle ? this.#idleLooks + 1 : 0;
    if (this.#idleLooks < patientLooks) return;
    this.#idleLooks = 0;
    void this.reconnect('it does not read');
  }

  #unread(): number {
    return this.#fifo?.unread() ?? 0;
  }

  #save(position: SpoolPosition, active: boolean): void {
    try {
      writeProgress(this.#progressPath, { position, active });
    } catch (error) {
      // Removed with its container, or the disk is full: at worst the driver gets some lines twice.
      this.#options.log.debug(`log driver ${this.driver}: ${messageOf(error)}`, this.#fields);
    }
  }

  #warn(what: string, error: unknown): void {
    const why = error === undefined ? '' : `: ${messageOf(error)}`;
    this.#options.log.warn(`log driver ${this.driver}: ${what}${why}`, this.#fields);
  }

  get #fields(): Record<string, unknown> {
    return { container: this.#options.id };
  }
}
