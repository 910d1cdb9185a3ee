import { longestTimerMs } from '@cleat/protocol/async/deadline';
import { setTimeout } from '@cleat/protocol/guard';

/** Time, as leases need it. */
export interface Clock {
  /** ms since the epoch; it goes on steadily, whatever becomes of the host's clock. */
  now(): number;
  /** @returns what takes it back */
  at(when: number, work: () => unknown): () => void;
}

/** The host's clock, as it was when this was made. */
export function hostClock(): Clock {
  const began = Date.now() - performance.now();
  const now = () => began + performance.now();
  return {
    now,
    at(when, work) {
      let timer: NodeJS.Timeout;
      // Node has no timer for longer than some 24 days.
      const wait = () => {
        const ms = when - now();
        timer = ms > longestTimerMs ? setTimeout(wait, longestTimerMs) : setTimeout(work, Math.max(0, ms));
      };
      wait();
      return () => clearTimeout(timer);
    },
  };
}
