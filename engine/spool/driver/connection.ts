import type { Extensions } from '@cleat/extensions/service';
import { waitFor, withDeadline } from '@cleat/protocol/async/deadline';
import { deadlineExceeded } from '@cleat/protocol/errors';
import { type Client, outcomeUnknown } from '@cleat/protocol/kinds/kind';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import { Attention } from './attention.js';
import { Fifo, type FifoPlace } from './fifo.js';
import type { OpenSessions } from './open-sessions.js';

export interface ConnectionOptions {
  /** The container. */
  id: string;
  driver: string;
  info: LogInfo;
  fifo: () => FifoPlace;
  extensions: Extensions;
  open: OpenSessions;
}

/** The facts for a driver about one container, and the FIFO between both. */
export class Connection {
  readonly #options: ConnectionOptions;
  #fifo: Fifo | undefined;
  #attention = new Attention();

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

  /** Everything there is was written: so much since the feed began. */
  wrote(written: number): void {
    this.#attention.wrote(written, this.unread);
  }

  /** For how long the driver has read nothing of what lies there, as far as this was asked. */
  unreadMs(): number {
    return this.#attention.missingMs(this.unread);
  }

  /**
   * Makes the FIFO and tells the driver to read it.
   * @throws CleatError as the driver refuses, or when it does not answer; the signal's reason
   */
  async open({ signal, deadlineMs }: { signal: AbortSignal; deadlineMs?: number }): Promise<void> {
    const { id, driver, info, fifo, open } = this.#options;
    const client = await this.#driver(signal, deadlineMs);
    signal.throwIfAborted();
    const { told, ...place } = fifo();
    this.#fifo = new Fifo(place);
    this.#attention = new Attention();
    await open.begin(id, driver);
    try {
      await client.StartLogging({ File: told, Info: info }, { signal, deadlineMs });
    } catch (error) {
      this.close();
      // It may have started unheard; callers that wait for this start do not wait for that.
      if (signal.aborted || outcomeUnknown(error)) void open.end(id);
      else open.forget(id);
      throw error;
    }
  }

  async #driver(signal: AbortSignal, deadlineMs: number | undefined): Promise<Client<typeof logKind>> {
    const { driver, extensions } = this.#options;
    if (deadlineMs === undefined) return await extensions.get(logKind, driver, { signal });
    const late = () => deadlineExceeded(`log driver ${driver} did not answer within ${deadlineMs / 1000} s`);
    return await withDeadline(deadlineMs, signal, late, (inTime) =>
      extensions.get(logKind, driver, { signal: inTime }),
    );
  }

  /** Tells the driver to stop, if it was told to start; what it has not read is still in the FIFO. */
  async stop(signal?: AbortSignal): Promise<void> {
    const { id, open } = this.#options;
    const told = open.end(id);
    if (!signal) return await told;
    await waitFor(told, signal).catch(() => {
      // Nobody waits any longer; the driver is told all the same.
    });
  }

  /** Removes the FIFO; nobody may write now. */
  close(): void {
    this.#fifo?.close();
    this.#fifo = undefined;
  }
}
