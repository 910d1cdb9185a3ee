import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@cleat/linux/process/run';
import { removeTree } from '@cleat/linux/rootfs/remove';
import { systemError } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk';

interface Made {
  readonly v: 1;
  /** `id` of the mount. */
  readonly name: string;
  readonly created: string;
  readonly used: string;
  readonly uses: number;
}

export interface WantedCache {
  readonly name: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** A directory of files that it has at first. */
  readonly from?: string;
  readonly signal: AbortSignal;
}

/** How long files may take to be copied into a new cache. */
const copyMs = 10 * 60_000;

/** Directories of `RUN --mount=type=cache`: kept from one build to the next, by name. */
export class CacheMounts {
  readonly #directory: string;
  readonly #made: DurableMap<Made>;
  /** How many use each, by its key. */
  readonly #users = new Map<string, number>();
  readonly #turns = new Map<string, Promise<void>>();

  constructor(directory: string, log: Pick<Logger, 'warn'>) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
    this.#made = new DurableMap<Made>(join(directory, 'journal'), log);
  }

  entries(): { key: string; path: string; made: Made; isInUse: boolean }[] {
    return this.#made.entries().map(([key, made]) => ({
      key,
      path: this.#path(key),
      made,
      isInUse: this.#users.has(key),
    }));
  }

  /** Gives a directory to mount, until it is disposed of. Waits while somebody else has it locked. */
  async take(wanted: WantedCache): Promise<{ path: string } & Disposable> {
    const unlock = wanted.sharing === 'locked' ? await this.#lock(wanted) : () => {};
    try {
      const key = this.#free(wanted);
      this.#users.set(key, (this.#users.get(key) ?? 0) + 1);
      try {
        await this.#ensure(key, wanted);
      } catch (error) {
        this.#leave(key);
        throw error;
      }
      return {
        path: this.#path(key),
        [Symbol.dispose]: () => {
          this.#leave(key);
          unlock();
        },
      };
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /** @returns whether it is gone: one that is used stays */
  async remove(key: string): Promise<boolean> {
    if (this.#users.has(key)) return false;
    this.#made.delete(key);
    const aside = join(this.#directory, `.removed-${key}`);
    try {
      renameSync(join(this.#directory, key), aside);
    } catch {
      // It was never filled.
      return true;
    }
    await removeTree(aside);
    return true;
  }

  #path(key: string): string {
    return join(this.#directory, key, 'data');
  }

  #leave(key: string): void {
    const left = (this.#users.get(key) ?? 1) - 1;
    if (left === 0) this.#users.delete(key);
    else this.#users.set(key, left);
  }

  /** A private one that is used is not shared: the next build has one of its own. */
  #free({ name, sharing }: WantedCache): string {
    const keyOf = (index: number) => createHash('sha256').update(`${name}\0${index}`).digest('hex').slice(0, 32);
    for (let index = 0; ; index++) {
      const key = keyOf(index);
      if (sharing !== 'private' || !this.#users.has(key)) return key;
    }
  }

  async #ensure(key: string, { name, uid, gid, mode, from, signal }: WantedCache): Promise<void> {
    const path = this.#path(key);
    const now = new Date().toISOString();
    const made = this.#made.get(key);
    if (!made || !existsSync(path)) {
      const draft = join(this.#directory, key, 'draft');
      await removeTree(draft);
      mkdirSync(draft, { recursive: true, mode: 0o755 });
      if (from !== undefined) {
        const result = await run('cp', ['-a', '--', `${from}/.`, draft], { deadlineMs: copyMs, signal });
        if (result.code !== 0) throw systemError(`cannot fill the cache ${name}: ${result.stderr.trim()}`);
      }
      chownSync(draft, uid, gid);
      chmodSync(draft, mode);
      if (!existsSync(path)) renameSync(draft, path);
    }
    this.#made.set(key, { v: 1, name, created: made?.created ?? now, used: now, uses: (made?.uses ?? 0) + 1 });
  }

  /** @returns what lets the next one have it */
  async #lock({ name, signal }: WantedCache): Promise<() => void> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    let unlock = () => {};
    const turn = new Promise<void>((resolve) => {
      unlock = resolve;
    });
    const all = before.then(() => turn);
    this.#turns.set(name, all);
    const forget = () => {
      unlock();
      if (this.#turns.get(name) === all) this.#turns.delete(name);
    };
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    aborted.catch(() => {}); // It is heard of by the race, or by nobody.
    try {
      signal.throwIfAborted();
      await Promise.race([before, aborted]);
      return forget;
    } catch (error) {
      forget();
      throw error;
    }
  }
}
