import type { Extensions } from '@cleat/extensions/service';
import { deadlineExceeded, messageOf } from '@cleat/protocol/errors';
import type { Client } from '@cleat/protocol/kinds/kind';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import { Fifo } from './fifo.js';

const stopMs = 2000;

export interface ConnectionOptions {
  driver: string;
  info: LogInfo;
  fifoPath: string;
  extensions: Extensions;
  log: Logger;
}

/** What a driver is told of one container, and the FIFO between both. */
export class Connection {
  readonly #options: ConnectionOptions;
  #fifo: Fifo | undefined;
  #lying = { bytes: 0, since: Date.now() };

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** An open end of the FIFO while there is one. */
  get fifo(): number | undefined {
    return this.#fifo?.fd;
  }

  /** Bytes in the FIFO that the driver has not read. */
  get unread(): number {
    return this.#fifo?.unread() ?? 0;
  }

  /** For how long the same bytes have been lying there, as far as this was asked. */
  unreadMs(): number {
    const { unread } = this;
    if (unread === 0 || unread !== this.#lying.bytes) this.#lying = { bytes: unread, since: Date.now() };
    return Date.now() - this.#lying.since;
  }

  /**
   * Makes the FIFO and tells the driver to read it.
   * @throws CleatError as the driver refuses, or when it does not answer; the signal's reason
   */
  async open({ signal, deadlineMs }: { signal: AbortSignal; deadlineMs?: number }): Promise<void> {
    const { info, fifoPath } = this.#options;
    const client = await this.#driver(signal, deadlineMs);
    signal.throwIfAborted();
    this.#fifo = new Fifo(fifoPath);
    try {
      await client.StartLogging({ File: fifoPath, Info: info }, { signal, deadlineMs });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #driver(signal: AbortSignal, deadlineMs: number | undefined): Promise<Client<typeof logKind>> {
    const { driver, extensions } = this.#options;
    if (deadlineMs === undefined) return await extensions.get(logKind, driver, { signal });
    const late = new AbortController();
    const text = `log driver ${driver} did not answer within ${deadlineMs / 1000} s`;
    const timer = setTimeout(() => late.abort(deadlineExceeded(text)), deadlineMs);
    try {
      return await extensions.get(logKind, driver, { signal: AbortSignal.any([signal, late.signal]) });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tells the driver to stop; what it has not read is still in the FIFO. */
  async stop(signal?: AbortSignal): Promise<void> {
    const { driver, fifoPath, extensions, log } = this.#options;
    try {
      const late = AbortSignal.timeout(stopMs);
      const waiting = signal ? AbortSignal.any([signal, late]) : late;
      const client = await extensions.get(logKind, driver, { signal: waiting, impatient: true });
      await client.StopLogging({ File: fifoPath }, { signal, deadlineMs: stopMs });
    } catch (error) {
      // A driver that is gone, or has never heard of it, has stopped.
      log.debug(`log driver ${driver}: StopLogging: ${messageOf(error)}`);
    }
  }

  /** Removes the FIFO; nobody may write any more. */
  close(): void {
    this.#fifo?.close();
    this.#fifo = undefined;
  }
}
