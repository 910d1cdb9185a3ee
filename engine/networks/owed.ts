import { isClass } from '@cleat/protocol/errors';
import type { Collection } from '../store/service.js';

const firstPauseMs = 1_000;
const longestPauseMs = 15_000;

/**
 * What drivers have to take back and did not when they were asked: away, hung, or out of order. They are asked again,
 * by and by, until they have; nobody waits for that. Kept on disk, so that a killed engine's successor goes on.
 */
export class Owed<T extends { readonly id: string }> {
  readonly #kept: Collection<T>;
  /** @throws what the drivers say */
  readonly #giveBack: (value: T) => Promise<void>;
  /** What they are to be asked for; the rest of what is kept is still being made. */
  readonly #due: Set<string>;
  /** By ID: nobody is asked twice at the same time. */
  readonly #asking = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = firstPauseMs;
  #closed = false;

  /** Whatever is kept is what a former engine owed, or could not finish. */
  constructor(kept: Collection<T>, giveBack: (value: T) => Promise<void>) {
    this.#kept = kept;
    this.#giveBack = giveBack;
    this.#due = new Set(kept.entries().map(([id]) => id));
  }

  /** It may have to be taken back if the engine is killed now. */
  begin(value: T): void {
    this.#kept.put(value.id, value);
  }

  /** It need not be taken back. */
  forget(id: string): void {
    this.#due.delete(id);
    if (!this.#closed) this.#kept.delete(id);
  }

  /** Drivers are asked to take it back now, and again if they do not. @throws what they said this time */
  async add(value: T): Promise<void> {
    this.begin(value);
    this.#due.add(value.id);
    try {
      await this.#ask(value);
    } catch (error) {
      this.#later();
      throw error;
    }
  }

  /** Asks for all that is due, or for some of it. Never fails: what stays is asked for later. */
  async retry(wanted: (value: T) => boolean = () => true): Promise<void> {
    const due = this.#kept.entries().flatMap(([id, value]) => (this.#due.has(id) && wanted(value) ? [value] : []));
    // What goes wrong was told when it went wrong first.
    await Promise.allSettled(due.map((value) => this.#ask(value)));
    if (this.#due.size === 0) this.#pauseMs = firstPauseMs;
    else this.#later();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #ask(value: T): Promise<void> {
    const under = this.#asking.get(value.id);
    if (under) return under;
    const asked = this.#giveBack(value)
      .then(() => this.forget(value.id))
      .finally(() => this.#asking.delete(value.id));
    this.#asking.set(value.id, asked);
    return asked;
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

/** Whether a driver could not be asked, so that asking again may help; what it refuses it will refuse again. */
export function mayPass(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(mayPass);
  return isClass(error, 'Unavailable') || isClass(error, 'DeadlineExceeded');
}
