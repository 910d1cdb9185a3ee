import { type FSWatcher, watch } from 'node:fs';
import { guarded, setTimeout } from '@cleat/protocol/guard';

/** Several notices of one change are one. */
const gatherMs = 20;

/**
 * Calls `onChange` soon after something changed in one of the directories that exist. A hint: what happens further
 * below, or in a directory that is made later, is seen by looking. @returns what ends it
 */
export function watchDirectories(directories: readonly string[], onChange: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const notice = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      onChange();
    }, gatherMs).unref();
  };
  const watchers = directories.flatMap((directory) => watchOne(directory, notice));
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}

function watchOne(directory: string, notice: () => void): FSWatcher[] {
  try {
    const watcher = watch(directory, { persistent: false }, guarded(notice));
    // It was removed, or the kernel has no more watches.
    watcher.on('error', () => watcher.close());
    return [watcher];
  } catch {
    // Most hosts have only some of the directories.
    return [];
  }
}
