import type { Readable } from 'node:stream';
import { cancelled, conflict, deadlineExceeded, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';

/** How long the two requests of a client wait for each other; what follows takes its time. */
const patienceMs = 60_000;
const maxUploads = 100;

/** A context that comes in a request of its own. */
export interface Upload {
  readonly content: Readable;
  /** Its request may be answered. */
  done(): void;
}

/** Brings together a request with a context and the one for its build; either may come first. */
export class Uploads {
  readonly #offered = new Map<string, () => Upload>();
  readonly #waiting = new Map<string, (upload: Upload) => void>();

  /** @returns resolves when it was read @throws Conflict, Unavailable; DeadlineExceeded, Cancelled where nobody does */
  async offer(id: string, content: Readable, signal: AbortSignal): Promise<void> {
    if (this.#offered.has(id)) throw conflict(`a context for the build ${id} is here already`);
    if (this.#offered.size >= maxUploads) throw unavailable('too many contexts wait for their builds');
    let done = (): void => {};
    const wasRead = new Promise<void>((resolve) => {
      done = resolve;
    });
    try {
      await inTime<void>(signal, (taken) => {
        const take = (): Upload => {
          taken();
          return { content, done };
        };
        const waiting = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (waiting) waiting(take());
        else this.#offered.set(id, take);
      });
    } catch (error) {
      this.#offered.delete(id);
      throw error;
    }
    await wasRead;
  }

  /** @throws DeadlineExceeded, Cancelled */
  async take(id: string, signal: AbortSignal): Promise<Upload> {
    const offered = this.#offered.get(id);
    this.#offered.delete(id);
    if (offered) return offered();
    return await inTime<Upload>(signal, (resolve) => this.#waiting.set(id, resolve)).finally(() =>
      this.#waiting.delete(id),
    );
  }
}

function inTime<T>(signal: AbortSignal, begin: (resolve: (value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(deadlineExceeded('the other request of this build did not come'));
    const timer = setTimeout(late, patienceMs);
    const gone = (): void => {
      clearTimeout(timer);
      reject(cancelled('context canceled'));
    };
    signal.addEventListener('abort', gone, { once: true });
    begin((value) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', gone);
      resolve(value);
    });
    if (signal.aborted) gone();
  });
}
