import { type FSWatcher, watch } from 'node:fs';
import { guarded, setInterval } from '@cleat/protocol/guard';

/** How often it is looked at without a notice. */
const lookMs = 1_000;

/**
 * Calls `look` soon after something changed at `path`, and each second: the kernel's notices may be lost, and where it has
 * no more watches to give, there are none. @returns what ends it
 */
export function follow(path: string, look: () => void): () => void {
  const timer = setInterval(look, lookMs).unref();
  const watcher = watchOf(path, look);
  return () => {
    clearInterval(timer);
    watcher?.close();
  };
}

function watchOf(path: string, look: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, guarded(look));
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    // No watches or descriptors left (ENOSPC, EMFILE).
    return undefined;
  }
}
