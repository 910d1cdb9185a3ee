import { setTimeout as pause } from 'node:timers/promises';
import type { Extensions } from '@cleat/extensions/service';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import { Retry } from './retry.js';

/** A driver that answers but fails is not asked all the time. */
const arrivedMs = 500;

export interface ReconnectionOptions {
  driver: string;
  info: LogInfo;
  extensions: Extensions;
  log: Logger;
  /** Aborted when the session ends. */
  signal: AbortSignal;
  attempt: () => Promise<void>;
}

/** Connects a session with its driver anew, however long the driver is away, and says why it is not connected. */
export class Reconnection {
  readonly #options: ReconnectionOptions;
  readonly #retry = new Retry();
  #reason = '';
  #awaited = false;

  constructor(options: ReconnectionOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#retry.running !== undefined;
  }

  /** Why nothing is delivered just now; empty: it is. */
  get reason(): string {
    return this.#reason;
  }

  /** Settles when it is connected, or was stopped. @param why empty at an engine's start, which nobody need be told */
  async run(why: string): Promise<void> {
    const { driver, log, attempt } = this.#options;
    if (why && !this.running) {
      this.#reason = why;
      log.warn(`log driver ${driver} is started again for a container: ${why}`);
    }
    await this.#retry.run(
      async () => {
        await attempt();
        this.#reason = '';
      },
      (error) => {
        this.#reason = messageOf(error);
        log.debug(`log driver ${driver}: ${this.#reason}`);
        if (isClass(error, 'Unavailable')) this.#awaitDriver();
      },
    );
  }

  /** No further attempt. */
  stop(): Promise<void> {
    return this.#retry.stop();
  }

  /** Waits visibly for one that is not there, and tries again as soon as it is. */
  #awaitDriver(): void {
    const { driver, info, extensions, signal } = this.#options;
    if (this.#awaited || signal.aborted) return;
    this.#awaited = true;
    const by = `the output of container ${info.ContainerName.replace(/^\//, '')}`;
    extensions
      .arrival(logKind.name, driver, { signal, by })
      .then(() => pause(arrivedMs, undefined, { ref: false }))
      .then(() => this.#retry.hurry())
      .catch(() => {
        // The session has ended.
      })
      .finally(() => {
        this.#awaited = false;
      });
  }
}
