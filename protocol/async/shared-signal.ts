import { setMaxListeners } from 'node:events';

/**
 * A signal for many who wait at once: the layers of an image, the calls of a test. Node takes more than ten listeners
 * for a leak, and says so; with this the owner of the signal says that they are none.
 */
export function shared(signal: AbortSignal): AbortSignal {
  setMaxListeners(0, signal);
  return signal;
}
