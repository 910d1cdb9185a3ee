import { setTimeout as pause } from 'node:timers/promises';
import { Backoff, type Logger } from '@cleat/sdk';
import type { Line } from './line-joiner.js';
import type { LokiOptions } from './options.js';
import { push } from './push.js';

const pauses = { firstMs: 200, longestMs: 5_000 };
/** So long after the container's end a Loki that is away is waited for. */
const patienceMs = 60_000;
/** Memory of a line besides its text. */
const lineBytes = 64;

interface Batch {
  lines: Line[];
  bytes: number;
}

/** Sends the lines of one container to Loki, in order, in batches; keeps what Loki does not take, within a bound. */
export class Shipper {
  readonly #options: LokiOptions;
  readonly #log: Logger;
  /** The oldest first; the last one is still being filled. */
  readonly #waiting: Batch[] = [];
  /** Bytes of all that waits, and of what is on its way. */
  #bytes = 0;
  #writers = 0;
  #giveUpAt = Number.POSITIVE_INFINITY;
  #isAway = false;
  #overflowed = 0;
  #hurry = new AbortController();
  readonly #abandoned = new AbortController();
  #shipping: Promise<void> | undefined;

  constructor(options: LokiOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  /** Settles when nothing waits. */
  get finished(): Promise<void> {
    return this.#shipping ?? Promise.resolve();
  }

  /** Nobody writes, and nothing waits. */
  get isOver(): boolean {
    return this.#writers === 0 && this.#shipping === undefined;
  }

  /** The container starts. */
  begin(): void {
    this.#writers++;
    this.#giveUpAt = Number.POSITIVE_INFINITY;
    if (this.#hurry.signal.aborted) this.#hurry = new AbortController();
  }

  add(lines: readonly Line[]): void {
    for (const line of lines) {
      let batch = this.#waiting.at(-1);
      if (batch === undefined || batch.bytes >= this.#options.batchBytes) {
        batch = { lines: [], bytes: 0 };
        this.#waiting.push(batch);
      }
      const bytes = line.text.length + lineBytes;
      batch.lines.push(line);
      batch.bytes += bytes;
      this.#bytes += bytes;
      if (this.#bytes > this.#options.backlogBytes) this.#overflow();
    }
    if (this.#waiting.length > 1) this.#hurry.abort();
    if (this.#waiting.length > 0) this.#shipping ??= this.#ship();
  }

  /** The container has ended: what waits goes on its way at once, and is not waited for for ever. */
  end(): void {
    this.#writers--;
    if (this.#writers > 0) return;
    this.#giveUpAt = Date.now() + patienceMs;
    this.#hurry.abort();
  }

  /** Drops what waits. */
  abandon(): void {
    this.#giveUpAt = 0;
    this.#hurry.abort();
    this.#abandoned.abort();
  }

  async #ship(): Promise<void> {
    await pause(this.#options.batchWaitMs, undefined, { signal: this.#hurry.signal }).catch(() => {
      // There is enough of it, or no more to come.
    });
    for (let batch = this.#waiting.shift(); batch; batch = this.#waiting.shift()) {
      await this.#deliver(batch);
      this.#bytes -= batch.bytes;
    }
    this.#tellOverflow();
    if (this.#writers > 0) this.#hurry = new AbortController();
    this.#shipping = undefined;
  }

  async #deliver({ lines }: Batch): Promise<void> {
    const backoff = new Backoff(pauses);
    for (;;) {
      const answer = await push(this.#options, lines, this.#abandoned.signal);
      if (answer.taken) {
        this.#cameBack();
        return;
      }
      if (!answer.again) {
        this.#log.error(`${lines.length} lines were dropped: ${answer.why}`);
        return;
      }
      if (!this.#isAway) this.#log.warn(`output is kept, and sent again: ${answer.why}`);
      this.#isAway = true;
      if (Date.now() >= this.#giveUpAt) {
        this.#giveUp(lines.length, answer.why);
        return;
      }
      await backoff.wait({ signal: this.#abandoned.signal }).catch(() => {
        // Nobody waits.
      });
    }
  }

  /** The oldest goes: what is printed last tells most. */
  #overflow(): void {
    // The last one is being filled.
    const oldest = this.#waiting.length > 1 ? this.#waiting.shift() : undefined;
    if (oldest === undefined) return;
    if (this.#overflowed === 0) {
      this.#log.warn('more waits for Loki than loki-backlog allows: the oldest lines are dropped');
    }
    this.#overflowed += oldest.lines.length;
    this.#bytes -= oldest.bytes;
  }

  #cameBack(): void {
    if (this.#isAway) this.#log.info('Loki takes the output again');
    this.#isAway = false;
    this.#tellOverflow();
  }

  #tellOverflow(): void {
    const count = this.#overflowed;
    this.#overflowed = 0;
    if (count > 0) this.#log.error(`${count} lines were dropped: more waited than loki-backlog allows`);
  }

  #giveUp(onTheirWay: number, why: string): void {
    const dropped = this.#waiting.reduce((sum, { lines }) => sum + lines.length, this.#overflowed + onTheirWay);
    this.#bytes -= this.#waiting.splice(0).reduce((sum, { bytes }) => sum + bytes, 0);
    this.#overflowed = 0;
    this.#log.error(`${dropped} lines were dropped: ${why}`);
  }
}
