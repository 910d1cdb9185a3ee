import { cancelled } from '@cleat/protocol/errors';

/**
 * `work`, unless `signal` aborts first: then Cancelled is thrown at once, and what `work` acquires later on is given
 * back by `undo`.
 */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal, undo?: (value: T) => unknown): Promise<T> {
  let onAbort: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      work.then(undo, () => {
        // It failed when nobody waited for it: nothing was acquired.
      });
      reject(cancelled('the start was stopped: the container is being removed'));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
