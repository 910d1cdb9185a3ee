import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Extensions } from '@cleat/extensions/service';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { logKind } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';

/** How long a driver may take to say that it has stopped. */
const stopMs = 2000;
const firstPauseMs = 1_000;
const longestPauseMs = 15_000;

export interface OpenSessionsDeps {
  extensions: Extensions;
  log: Logger;
  /** One file for each session, until its driver has answered StopLogging; it must not outlive a boot. */
  directory: string;
  fifoPath: (containerId: string) => string;
}

/**
 * The containers that log drivers were told of, by StartLogging. A driver that is away or hangs when it is told to stop
 * is told again, by and by, and by the next engine: it would wait for the end of a FIFO that nobody writes to any more.
 */
export class OpenSessions {
  readonly #deps: OpenSessionsDeps;
  /** Those whose driver is to stop and does not know it yet. */
  readonly #due: Set<string>;
  readonly #asking = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = firstPauseMs;
  #closed = false;

  constructor(deps: OpenSessionsDeps) {
    this.#deps = deps;
    mkdirSync(deps.directory, { recursive: true, mode: 0o700 });
    // Whoever runs on begins anew, and is then not due any more.
    this.#due = new Set(readdirSync(deps.directory));
    if (this.#due.size > 0) this.#later();
  }

  /** Before StartLogging. A stop that is on its way must not come after it. */
  async begin(id: string, driver: string): Promise<void> {
    await this.#asking.get(id);
    this.#due.delete(id);
    writeFileSync(this.#path(id), driver, { mode: 0o600 });
  }

  /** Its driver has not started. */
  forget(id: string): void {
    this.#due.delete(id);
    rmSync(this.#path(id), { force: true });
  }

  /** Tells its driver to stop, now, and again if it does not hear. Never fails. */
  async end(id: string): Promise<void> {
    this.#due.add(id);
    await this.#ask(id);
    if (this.#due.has(id)) this.#later();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #ask(id: string): Promise<void> {
    const under = this.#asking.get(id);
    if (under) return under;
    const asked = this.#stopLogging(id).finally(() => this.#asking.delete(id));
    this.#asking.set(id, asked);
    return asked;
  }

  async #stopLogging(id: string): Promise<void> {
    const { extensions, fifoPath, log } = this.#deps;
    const driver = this.#driverOf(id);
    try {
      if (driver !== undefined) {
        const options = { signal: AbortSignal.timeout(stopMs), impatient: true };
        const client = await extensions.get(logKind, driver, options);
        await client.StopLogging({ File: fifoPath(id) }, { deadlineMs: stopMs, impatient: true });
      }
    } catch (error) {
      log.debug(`log driver ${driver}: StopLogging: ${messageOf(error)}`, { container: id });
      // Anything else is an answer: a driver that has never heard of it has stopped.
      const away = error instanceof Error && error.name === 'TimeoutError';
      if (away || isClass(error, 'Unavailable') || isClass(error, 'DeadlineExceeded')) return;
    }
    this.forget(id);
  }

  #driverOf(id: string): string | undefined {
    try {
      return readFileSync(this.#path(id), 'utf8');
    } catch {
      // It was never begun.
      return undefined;
    }
  }

  #later(): void {
    if (this.#closed || this.#timer) return;
    this.#timer = setTimeout(() => void this.#retry(), this.#pauseMs).unref();
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }

  async #retry(): Promise<void> {
    await Promise.all([...this.#due].map((id) => this.#ask(id)));
    this.#timer = undefined;
    if (this.#due.size === 0) this.#pauseMs = firstPauseMs;
    else this.#later();
  }

  #path(id: string): string {
    return join(this.#deps.directory, id);
  }
}
