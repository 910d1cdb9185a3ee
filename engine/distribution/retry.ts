import { setTimeout as delay } from 'node:timers/promises';
import { cancelled, isClass } from '@cleat/protocol/errors';
import { RegistryError } from './errors.js';
import type { RegistryLimits } from './limits.js';

export interface Attempts {
  limits: RegistryLimits;
  signal: AbortSignal;
  /** Hears of each second that is waited for the next try. */
  onWait?: (seconds: number) => void;
  /** Hears why. */
  onRetry?: (error: unknown) => void;
}

/**
 * Does work that a network or a server may fail, a few times: a cut connection, a server that is overloaded (429, with
 * its `Retry-After`) or away (5xx). A refusal, wrong content or a full disk is final.
 *
 * `work` calls `progressed` when something came. Without that, the last try begins within the limits' patience, so that
 * what stalls ends in less than a minute in all.
 * @throws what the last try threw, Cancelled
 */
export async function withRetries<T>(
  { limits, signal, onWait, onRetry }: Attempts,
  work: (progressed: () => void) => Promise<T>,
): Promise<T> {
  let progress = Date.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(() => {
        progress = Date.now();
      });
    } catch (error) {
      if (signal.aborted) throw cancelled('the transfer was cancelled', { cause: error });
      const wait = waitAfter(error, attempt, limits);
      if (wait === undefined || attempt >= limits.attempts) throw error;
      if (Date.now() + wait - progress > limits.patience) throw error;
      onRetry?.(error);
      await pause(wait, signal, onWait);
    }
  }
}

/** Milliseconds until the next try is worth something; undefined: it is not. */
function waitAfter(error: unknown, attempt: number, limits: RegistryLimits): number | undefined {
  const usual = limits.retryStep * attempt;
  if (error instanceof RegistryError) {
    if (error.status !== 429 && error.status < 500) return undefined;
    if (error.retryAfter === undefined) return usual;
    return error.retryAfter > limits.longestRetryAfter ? undefined : error.retryAfter;
  }
  return isClass(error, 'Unavailable') || isClass(error, 'DeadlineExceeded') ? usual : undefined;
}

async function pause(wait: number, signal: AbortSignal, onWait?: (seconds: number) => void): Promise<void> {
  for (let left = wait; left > 0; left -= 1000) {
    onWait?.(Math.ceil(left / 1000));
    try {
      await delay(Math.min(left, 1000), undefined, { signal });
    } catch (cause) {
      throw cancelled('the transfer was cancelled', { cause });
    }
  }
}

/** `Retry-After` in seconds or as a date (RFC 9110), in milliseconds from now; undefined when it is neither. */
export function retryAfterOf(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
