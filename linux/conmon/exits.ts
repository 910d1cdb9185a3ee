import { existsSync, type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { guarded, setInterval } from '@cleat/protocol/guard';
import { errnoOf } from '../syscall/errno.js';

export interface ExitRecord {
  /** The exit code; 128 + n after signal n. */
  code: number;
  /** When conmon wrote it: the file's modification time. */
  at: Date;
}

/** Reads conmon's report about a container's end; undefined while there is none. */
export function readExit(exitDir: string, id: string): ExitRecord | undefined {
  const path = join(exitDir, id);
  try {
    const at = statSync(path).mtime;
    const code = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return Number.isNaN(code) ? undefined : { code, at };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether conmon saw the kernel kill for want of memory. `directory` is the persist (or session) directory. */
export function wasOomKilled(directory: string): boolean {
  return existsSync(join(directory, 'oom'));
}

export interface ExitWatch {
  /** Looks now; call it after the event loop was blocked. */
  rescan(): void;
  close(): void;
}

/**
 * Reports each exit file once, those that are there already included; a file that is removed and written again is
 * reported again. The kernel's notices are only a hint (a busy loop loses them), a look each second is the truth.
 * @param onExit called with the container's id
 */
export function watchExits(
  exitDir: string,
  onExit: (id: string, exit: ExitRecord) => void,
  signal?: AbortSignal,
): ExitWatch {
  let seen = new Map<string, number>();
  let scannedAt = 0;
  let closed = false;

  /** The file's time stamp; undefined when there is none of that name. Reports it when it is new. */
  const look = (name: string): number | undefined => {
    // glib writes `ID.XXXXXX` first and renames it.
    if (closed || name.includes('.')) return undefined;
    const changedAt = statSync(join(exitDir, name), { throwIfNoEntry: false })?.mtimeMs;
    if (changedAt === undefined || seen.get(name) === changedAt) return changedAt;
    const exit = readExit(exitDir, name);
    if (!exit) return undefined;
    seen.set(name, changedAt);
    onExit(name, exit);
    return changedAt;
  };

  const rescan = () => {
    if (closed) return;
    const now = Date.now();
    const present = new Map<string, number>();
    for (const name of readdirSync(exitDir)) {
      const changedAt = look(name);
      if (changedAt !== undefined) present.set(name, changedAt);
    }
    seen = present;
    // Only now: one that failed (no descriptors left) is to be done again.
    scannedAt = now;
  };

  const unchanged = () => {
    // A change within the clock's granularity of the last scan may hide behind the same time stamp.
    const changedAt = statSync(exitDir).mtimeMs;
    return changedAt + 1000 < scannedAt;
  };

  const timer = setInterval(() => {
    if (!unchanged()) rescan();
  }, 1000);
  timer.unref();

  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(
      exitDir,
      { persistent: false },
      guarded((_event, name: string | null) => (name === null ? rescan() : look(name))),
    );
    watcher.on('error', () => watcher?.close());
  } catch {
    // No inotify instances left: the look each second suffices.
  }

  const close = () => {
    closed = true;
    clearInterval(timer);
    watcher?.close();
    signal?.removeEventListener('abort', close);
  };
  signal?.addEventListener('abort', close, { once: true });
  rescan();
  if (signal?.aborted) close();
  return { rescan, close };
}
