import { isClass } from '@cleat/protocol/errors';
import type { Collection } from '../store/service.js';
import type { Leftover } from './endpoint.js';

const firstPauseMs = 1_000;
const longestPauseMs = 15_000;

/**
 * Endpoints and addresses that a driver did not take back when it was asked: away, hung, or out of order. It is asked
 * again, by and by, until it has; nobody waits for that.
 */
export class Leftovers {
  readonly #kept: Collection<Leftover>;
  /** @throws what the drivers say */
  readonly #giveBack: (leftover: Leftover) => Promise<void>;
  readonly #isNetworkKnown: (id: string) => boolean;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = firstPauseMs;
  #closed = false;
  /** By ID: nobody is asked twice at the same time. */
  readonly #asking = new Map<string, Promise<void>>();

  constructor(
    kept: Collection<Leftover>,
    giveBack: (leftover: Leftover) => Promise<void>,
    isNetworkKnown: (id: string) => boolean,
  ) {
    this.#kept = kept;
    this.#giveBack = giveBack;
    this.#isNetworkKnown = isNetworkKnown;
  }

  add(leftover: Leftover): void {
    this.#kept.put(leftover.id, leftover);
    this.#later();
  }

  /** Asks for all of them now, or for those of one network. Never fails: what stays is asked for later. */
  async retry(networkId?: string): Promise<void> {
    const wanted = this.#kept.entries().filter(([, one]) => networkId === undefined || one.networkId === networkId);
    await Promise.all(wanted.map(([id, leftover]) => this.#ask(id, leftover)));
    if (this.#kept.entries().length === 0) this.#pauseMs = firstPauseMs;
    else this.#later();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #ask(id: string, leftover: Leftover): Promise<void> {
    const under = this.#asking.get(id);
    if (under) return under;
    const asked = this.#giveBack(leftover)
      .then(
        () => this.#settled(id),
        (error: unknown) => {
          // It stays on the list; the failure was logged when it happened first. A driver that refuses what was on a
          // network that is gone will never take it back.
          if (!this.#isNetworkKnown(leftover.networkId) && !mayPass(error)) this.#settled(id);
        },
      )
      .finally(() => this.#asking.delete(id));
    this.#asking.set(id, asked);
    return asked;
  }

  #settled(id: string): void {
    if (!this.#closed) this.#kept.delete(id);
  }

  #later(): void {
    if (this.#closed || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.retry();
    }, this.#pauseMs).unref();
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }
}

/** Whether one of the failures says only that the driver could not be asked. */
function mayPass(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(mayPass);
  return isClass(error, 'Unavailable') || isClass(error, 'DeadlineExceeded');
}
