import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { guarded, setInterval } from '@cleat/protocol/guard';

/** How often a follower looks by itself, because the kernel's notices may be lost. */
const pollMs = 250;

/**
 * Tells followers that a file may have grown. Costs something only while somebody follows: then a watch on the
 * directory (a rename replaces the file) and a look four times a second.
 */
export class Growth {
  readonly #path: string;
  #version = 0;
  readonly #waiting = new Set<() => void>();
  readonly #listeners = new Set<() => void>();
  #followers = 0;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Changes with each notice: take it before reading, and hand it to {@link after}. */
  get version(): number {
    return this.#version;
  }

  /** The file may have grown. */
  wake(): void {
    this.#version++;
    for (const listener of this.#listeners) listener();
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** Resolves when there was a notice after `version` was taken, or when `signal` aborts. */
  async after(version: number, signal: AbortSignal): Promise<void> {
    if (this.#version !== version || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  get followed(): boolean {
    return this.#followers > 0;
  }

  /** Begins to follow; call what it answers when done. */
  follow(): () => void {
    if (this.#followers++ === 0) this.#timer = setInterval(() => this.wake(), pollMs).unref();
    this.#watch();
    return once(() => {
      if (--this.#followers === 0) clearInterval(this.#timer);
      this.#unwatch();
    });
  }

  /** Calls `listener` at each notice; the kernel's may be lost, so it is to look by itself from time to time. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#watch();
    return once(() => {
      this.#listeners.delete(listener);
      this.#unwatch();
    });
  }

  #watch(): void {
    if (this.#watcher) return;
    const name = basename(this.#path);
    try {
      // Other files of the directory are none of our business; a log driver may write there, too.
      this.#watcher = watch(
        dirname(this.#path),
        { persistent: false },
        guarded((_event, changed: string | null) => changed === name && this.wake()),
      );
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // No inotify instances left, or the directory is gone: looking from time to time suffices.
    }
  }

  #unwatch(): void {
    if (this.#followers > 0 || this.#listeners.size > 0) return;
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
