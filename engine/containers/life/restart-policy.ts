import type { ContainerRecord } from '../record.js';

const firstDelayMs = 100;
const longestDelayMs = 60_000;
/** Who ran that long is not in a crash loop: the delay starts anew. */
const calmAfterMs = 10_000;

/** Whether the policy wants it to run again after this exit (moby `daemon/internal/restartmanager`). */
export function wantsRestart(record: ContainerRecord, exitCode: number): boolean {
  const { Name: name, MaximumRetryCount: limit = 0 } = record.hostConfig.RestartPolicy ?? {};
  if (name === 'always') return true;
  if (name === 'unless-stopped') return !record.manuallyStopped;
  if (name === 'on-failure') return exitCode !== 0 && (limit === 0 || record.restartCount < limit);
  return false;
}

/** Waits before a restart: 100 ms, doubled each time, a minute at most. */
export class RestartTimer {
  #delayMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** A user stopped or killed it: no restart until the next start by hand. */
  cancelled = false;

  /** @param ranMs how long it ran this time */
  schedule(ranMs: number, work: () => void): void {
    this.#delayMs = this.#delayMs === 0 || ranMs >= calmAfterMs ? firstDelayMs : this.#delayMs * 2;
    this.#delayMs = Math.min(this.#delayMs, longestDelayMs);
    this.#timer = setTimeout(work, this.#delayMs);
  }

  /** @returns whether a restart was due */
  cancel(): boolean {
    this.cancelled = true;
    const due = this.#timer !== undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return due;
  }

  /** The timer has fired. */
  fired(): void {
    this.#timer = undefined;
  }

  reset(): void {
    this.cancelled = false;
    this.#delayMs = 0;
  }
}
