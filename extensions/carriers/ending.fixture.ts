import type { Ending } from '@cleat/protocol/async/deadline';

/** A wait that ends when the signal says so. */
export const endingOf = (signal: AbortSignal): Ending => ({
  signal,
  whenOver: (listener) => {
    const onAbort = (): void => listener(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    return () => signal.removeEventListener('abort', onAbort);
  },
});

export const never = endingOf(new AbortController().signal);
