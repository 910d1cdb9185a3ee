import type { CallResult, ExtensionFailure, Latency, MethodStatistics } from './status.js';

/** Upper bounds in ms of the histogram's buckets: from a call in this process to a Mount that fetches its data. */
const boundsMs = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 120_000];

const longestMessage = 1_000;

interface Counters {
  results: Record<CallResult, number>;
  sumMs: number;
  maxMs: number;
  /** One per bound, and what is beyond them; not cumulative. */
  buckets: number[];
}

/**
 * Counts the calls of one extension: some numbers per method that was called, in memory, from the engine's start on.
 */
export class Statistics {
  readonly #methods = new Map<string, Counters>();
  #lastError: ExtensionFailure | undefined;
  #retries = 0;
  #health: 'unknown' | 'healthy' | 'failing' = 'unknown';

  /** How the last call ended that says something about the extension. */
  get health(): 'unknown' | 'healthy' | 'failing' {
    return this.#health;
  }

  get lastError(): ExtensionFailure | undefined {
    return this.#lastError;
  }

  /** How many messages were sent once more because the connection broke; their calls are counted once. */
  get retries(): number {
    return this.#retries;
  }

  retried(): void {
    this.#retries++;
  }

  /**
   * @param method as on the wire, for example `VolumeDriver.Mount`
   * @param ms how long its caller waited
   * @param message what its caller was told, unless it succeeded
   */
  record(method: string, result: CallResult, ms: number, message = ''): void {
    const counters = this.#countersOf(method);
    counters.results[result]++;
    if (result === 'ok' || result === 'error') this.#health = 'healthy';
    else if (result === 'timeout' || result === 'unreachable') this.#health = 'failing';
    if (result !== 'ok' && result !== 'cancelled') {
      this.#lastError = { method, result, message: message.slice(0, longestMessage), at: new Date() };
    }
    // Nobody was asked, or nobody waited: the time says nothing about the extension.
    if (result === 'blocked' || result === 'cancelled') return;
    counters.sumMs += ms;
    counters.maxMs = Math.max(counters.maxMs, ms);
    const bucket = boundsMs.findIndex((bound) => ms <= bound);
    const index = bucket < 0 ? boundsMs.length : bucket;
    counters.buckets[index] = (counters.buckets[index] ?? 0) + 1;
  }

  /** A copy, in the order in which the methods were first called. */
  methods(): MethodStatistics[] {
    return [...this.#methods].map(([method, counters]) => ({
      method,
      results: { ...counters.results },
      latency: latencyOf(counters),
    }));
  }

  #countersOf(method: string): Counters {
    let counters = this.#methods.get(method);
    if (!counters) {
      counters = {
        results: { ok: 0, error: 0, timeout: 0, unreachable: 0, blocked: 0, cancelled: 0 },
        sumMs: 0,
        maxMs: 0,
        buckets: new Array<number>(boundsMs.length + 1).fill(0),
      };
      this.#methods.set(method, counters);
    }
    return counters;
  }
}

function latencyOf({ sumMs, maxMs, buckets }: Counters): Latency {
  let count = 0;
  const atMostMs: Record<string, number> = {};
  for (const [index, inBucket] of buckets.entries()) {
    count += inBucket;
    atMostMs[boundsMs[index] ?? '+Inf'] = count;
  }
  return { count, sumMs: round(sumMs), maxMs: round(maxMs), atMostMs };
}

/** To microseconds: the rest is noise. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
