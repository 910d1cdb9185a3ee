import { setInterval } from '@cleat/protocol/guard';
import { giveMemoryBack } from './rest.js';

export interface RestOptions {
  /** How often it is looked. */
  readonly tickMs: number;
  /** CPU time in one tick below which the process counts as idle, in microseconds. */
  readonly quiet: number;
  /** CPU time of work after which there is something to give back, in microseconds. */
  readonly worthIt: number;
  /** It fails, and is not tried again. */
  onFailure(error: unknown): void;
}

/**
 * Gives memory back whenever work has ended: V8 by itself keeps garbage until the next allocation, which on an idle
 * machine may be tomorrow. @returns what ends it
 */
export function giveMemoryBackAtRest({ tickMs, quiet, worthIt, onFailure }: RestOptions): () => void {
  let before = cpu();
  let givenBackAt = 0;
  const timer = setInterval(() => {
    const now = cpu();
    const used = now - before;
    before = now;
    if (used > quiet || now - givenBackAt < worthIt) return;
    try {
      // Only there with --expose-gc; without it V8 does as it sees fit.
      globalThis.gc?.();
      giveMemoryBack();
    } catch (error) {
      clearInterval(timer);
      onFailure(error);
    }
    givenBackAt = before = cpu();
  }, tickMs).unref();
  return () => clearInterval(timer);
}

/** CPU time of this process, in microseconds. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
