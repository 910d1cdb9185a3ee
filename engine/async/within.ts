import { setTimeout } from '@cleat/protocol/guard';
import { longestTimerMs } from '../time.js';

/** Whether `work` settled within `ms` milliseconds (negative: however long it takes). */
export async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  if (ms < 0) return await work.then(() => true);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.min(ms, longestTimerMs));
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
