import { Backoff } from '@cleat/protocol/async/backoff';

/** After so many hangs in a row an extension is not asked for a while. */
const threshold = 3;
const pauses = { firstMs: 2_000, longestMs: 60_000 };

/**
 * Keeps callers from queueing up behind an extension that hangs: after several calls or handshakes in a row that ran
 * into their deadline, calls fail at once until a pause has passed; then one call probes, and the pause grows when it fails, too.
 */
export class Breaker {
  #failures = 0;
  readonly #backoff = new Backoff(pauses);
  #openUntil = 0;
  #reason = '';
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Why a call should not even be tried now; undefined when it may be. Lets one probe through after each pause. */
  blocked(): string | undefined {
    if (this.#failures < threshold) return undefined;
    if (this.#now() < this.#openUntil) return this.#reason;
    // This caller probes; until its outcome is known nobody else has to find out the hard way.
    this.#openUntil = Number.POSITIVE_INFINITY;
    return undefined;
  }

  /** Whether callers are turned away; unlike {@link blocked}, asking changes nothing. */
  get open(): boolean {
    return this.#failures >= threshold;
  }

  /** When the next call may try; undefined while nobody is turned away, or while one tries. */
  get until(): Date | undefined {
    return this.open && Number.isFinite(this.#openUntil) ? new Date(this.#openUntil) : undefined;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#backoff.reset();
  }

  /** A call ended without an answer for the caller's own reasons. */
  inconclusive(): void {
    if (this.#failures >= threshold) this.#openUntil = Math.min(this.#openUntil, this.#now());
  }

  hung(reason: string): void {
    this.#failures++;
    this.#reason = reason;
    if (this.#failures < threshold) return;
    this.#openUntil = this.#now() + this.#backoff.next();
  }
}
