import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Extensions } from '@cleat/extensions/service';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { setTimeout } from '@cleat/protocol/guard';
import { logKind } from '@cleat/protocol/kinds/log';
import type { Message, Outbox, Queue } from '../../outbox/service.js';

/** How long a driver may take to say that it has stopped. */
const stopMs = 2000;
/** When sessions that the former engine left are ended, in ms; those of containers that run have begun anew by then. */
const leftAfterMs = 1000;

interface StopLogging {
  method: 'StopLogging';
  request: { File: string };
  /** The container. */
  id: string;
}

export interface OpenSessionsDeps {
  extensions: Extensions;
  outbox: Outbox;
  /** One file for each session, until its driver has heard StopLogging; it must not outlive a boot. */
  directory: string;
  /** The path that a driver was told for a container. */
  told: (driver: string, containerId: string) => string;
}

/**
 * The containers that log drivers were told of, by StartLogging. A driver that is not told to stop would wait for the
 * end of a FIFO that nobody writes to any longer.
 */
export class OpenSessions {
  readonly #deps: OpenSessionsDeps;
  readonly #queue: Queue<StopLogging>;
  /** Sessions of the former engine, until they begin anew or end. */
  readonly #left: Set<string>;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: OpenSessionsDeps) {
    this.#deps = deps;
    makeDirectories(deps.directory, 0o700);
    this.#queue = deps.outbox.queue<StopLogging>('log-drivers', {
      // It was told of the stop, no matter what it says, and there is nothing to give back.
      attempts: 1,
      independent: true,
      isMoot: (_, { id }) => this.#driverOf(id) === undefined,
      call: (driver, { request }) => this.#stopLogging(driver, request),
      onSettled: ({ id }) => rmSync(this.#path(id), { force: true }),
    });
    this.#left = new Set(readdirSync(deps.directory));
    // Where a driver was told of a session is known once all rooms are open.
    void deps.outbox.started.then(() => {
      if (this.#closed) return;
      this.#timer = setTimeout(() => {
        for (const id of this.#left) void this.end(id);
      }, leftAfterMs).unref();
    });
  }

  /** Before StartLogging. A stop that is on its way must not come after it. */
  async begin(id: string, driver: string): Promise<void> {
    this.#left.delete(id);
    await this.#queue.cancel(id);
    writeFileSync(this.#path(id), driver, { mode: 0o600 });
  }

  /** Its driver has not started. */
  forget(id: string): void {
    void this.#queue.cancel(id);
    rmSync(this.#path(id), { force: true });
  }

  /** Tells its driver to stop, if it was told to start. Never fails. */
  async end(id: string): Promise<void> {
    this.#left.delete(id);
    if (this.#driverOf(id) !== undefined) await this.#queue.send(this.#message(id));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #message(id: string): Message<StopLogging> {
    const driver = this.#driverOf(id) ?? '';
    return {
      id,
      extension: driver,
      about: `the end of the output of container ${id}`,
      calls: [{ method: 'StopLogging', request: { File: this.#deps.told(driver, id) }, id }],
    };
  }

  async #stopLogging(driver: string, request: StopLogging['request']): Promise<void> {
    const options = { signal: AbortSignal.timeout(stopMs), impatient: true };
    const client = await this.#deps.extensions.get(logKind, driver, options);
    await client.StopLogging(request, { deadlineMs: stopMs, impatient: true });
  }

  #driverOf(id: string): string | undefined {
    try {
      return readFileSync(this.#path(id), 'utf8');
    } catch {
      // It was never begun.
      return undefined;
    }
  }

  #path(id: string): string {
    return join(this.#deps.directory, id);
  }
}
