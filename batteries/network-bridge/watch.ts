import { messageOf } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';

/** With the work that follows a look, less than a second. */
const intervalMs = 400;

export interface Look {
  /** Name of the things that it looks after, for the log: `the firewall's rules`. */
  readonly after: string;
  /** Looks, and puts right what others have damaged. */
  look(): Promise<void>;
}

/**
 * Looks every now and then whether what the driver made on the host is still there. Looks must cost next to nothing
 * while nothing has changed.
 */
export class HostWatch {
  readonly #looks: readonly Look[];
  readonly #log: Logger;
  /** Looks that failed, and how. Each failure is told once, until the look works again. */
  readonly #failing = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #stopped = false;

  constructor(looks: readonly Look[], log: Logger) {
    this.#looks = looks;
    this.#log = log;
  }

  start(): void {
    if (!this.#stopped) this.#timer ??= setInterval(() => this.#begin(), intervalMs).unref();
  }

  /** For good: after this nothing is looked at or made. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#round;
  }

  /** One round at a time: where putting right takes long, the next look waits. */
  #begin(): void {
    this.#round ??= this.#lookAtAll().finally(() => {
      this.#round = undefined;
    });
  }

  async #lookAtAll(): Promise<void> {
    for (const { after, look } of this.#looks) {
      try {
        await look();
        this.#failing.delete(after);
      } catch (error) {
        const failure = messageOf(error);
        if (this.#failing.get(after) === failure) continue;
        this.#failing.set(after, failure);
        this.#log.error(`${after} could not be put right; it is tried again`, { error: failure });
      }
    }
  }
}
