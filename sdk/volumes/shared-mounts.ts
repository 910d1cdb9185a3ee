import { mkdirSync, realpathSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { conflict, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { MountEntry } from '@cleat/protocol/mountinfo';
import { DurableMap } from '../state.js';
import { turns } from '../turns.js';
import { type Elsewhere, isHeldElsewhere, mountedAt, mountedBelow, mountsElsewhere, seesWholeHost } from './holders.js';
import { isDead, takeAway } from './mount-tools.js';

export interface SharedMountsSettings {
  /** Directory with one mount point per volume, and nothing else; made (0711) when it is not there. */
  root: string;
  /** File that tells who holds what. */
  state: string;
  /** Mounts the volume on an empty directory. When it throws, whatever it mounted there is taken away. */
  mount(name: string, directory: string): Promise<void> | void;
  /**
   * Takes it away again. `released`: the last holder has said Unmount; `abandoned`: nobody did, and it must fail when
   * it is in use still. Default: umount, lazily when it was released.
   */
  unmount?(name: string, directory: string, why: 'released' | 'abandoned'): Promise<void> | void;
  /** Whether what is mounted has died and must be mounted anew. Default: what FUSE says, asked with a deadline. */
  isDead?(name: string, directory: string): Promise<boolean> | boolean;
  /**
   * After so many ms in which no container has it, a volume is taken from holders that never said Unmount, whose engine
   * was killed; default 10 minutes. An engine that copies out of a volume holds it without a container.
   */
  abandonedAfterMs?: number;
  /** Whether every container's processes are in /proc. Default: this process is in the host's own PID namespace. */
  seesContainers?: boolean;
  log: Logger;
}

/** Nothing tells when a container ends whose engine does not. */
const settleMs = 10_000;
/** How long the processes of a container may take to vanish after its engine said that it has ended. */
const lingerMs = 2_000;

/**
 * Volumes that are mounted once and used by several containers, for a volume driver's Mount and Unmount. Who holds one
 * is a set of mount IDs on disk, never a counter: what comes twice, or after a kill of the engine or of this process,
 * is harmless. The kernel has the last word: what is mounted is read from it, and so is whether a container still uses
 * it.
 * @example
 * const mounts = await SharedMounts.open({ root: '/run/mine', state: '/var/lib/mine/mounts.journal', mount, log });
 * const driver = {
 *   Mount: async ({ Name, ID }) => ({ Mountpoint: await mounts.hold(Name, ID) }),
 *   Unmount: ({ Name, ID }) => mounts.release(Name, ID),
 *   Remove: ({ Name }) => mounts.drop(Name),
 * };
 */
export class SharedMounts {
  readonly #settings: SharedMountsSettings;
  readonly #root: string;
  readonly #ids: DurableMap<readonly string[]>;
  readonly #inTurn = turns();
  /** Since when nobody has been seen to have a volume that is recorded as held; `performance.now()`. */
  readonly #unseenSince = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  private constructor(settings: SharedMountsSettings) {
    this.#settings = settings;
    mkdirSync(settings.root, { recursive: true, mode: 0o711 });
    // As the kernel names it, so that mounts in it are found in mountinfo.
    this.#root = realpathSync(settings.root);
    this.#ids = new DurableMap(settings.state, settings.log);
    this.#timer = setInterval(() => void this.settle(), settleMs).unref();
  }

  /** Comes back to what an earlier process left: see {@link settle}. */
  static async open(settings: SharedMountsSettings): Promise<SharedMounts> {
    const mounts = new SharedMounts(settings);
    await mounts.settle();
    return mounts;
  }

  /**
   * Mounts the volume, unless it is, and remembers for whom.
   * @param id the ID of the Mount call; one that holds the volume already changes nothing
   * @returns the mount point
   * @throws InvalidParameter for a name that is too long; whatever `mount` throws: then nothing is mounted or
   * remembered
   */
  async hold(name: string, id: string): Promise<string> {
    const directory = this.#directory(name);
    return await this.#inTurn(name, async () => {
      const fresh = await this.#ensureMounted(name, directory);
      this.#unseenSince.delete(name);
      const ids = this.holders(name);
      if (ids.includes(id)) return directory;
      try {
        this.#ids.set(name, [...ids, id]);
      } catch (error) {
        if (fresh) await this.#unmount(name, directory, 'released');
        throw error;
      }
      return directory;
    });
  }

  /**
   * The Unmount for that ID; the last one unmounts the volume. One that is not known is fine. While a container has the
   * volume although nobody holds it, it stays, and goes once the container does.
   * @throws whatever `unmount` throws; it is tried again later
   */
  async release(name: string, id: string): Promise<void> {
    const directory = this.#directory(name);
    return await this.#inTurn(name, async () => {
      const ids = this.holders(name);
      const left = ids.filter((other) => other !== id);
      if (left.length < ids.length) this.#remember(name, left);
      if (left.length === 0) await this.#unmountWhenFree(name, directory);
    });
  }

  /** Before a volume is removed: unmounts what nobody holds. @throws Conflict while somebody does */
  async drop(name: string): Promise<void> {
    const directory = this.#directory(name);
    return await this.#inTurn(name, async () => {
      if (this.holders(name).length > 0) throw conflict(`volume ${name} is in use: stop its containers first`);
      if (!(await this.#unmountWhenFree(name, directory))) {
        throw conflict(`volume ${name} is mounted in a container still: stop it first`);
      }
    });
  }

  /** The mount point, if the volume is mounted. */
  path(name: string): string | undefined {
    const directory = this.#directory(name);
    return mountedAt(directory) ? directory : undefined;
  }

  /** The IDs that hold it. */
  holders(name: string): readonly string[] {
    return this.#ids.get(name) ?? [];
  }

  /**
   * Compares what is remembered with what the kernel says: forgets who held what is no longer mounted, as after a
   * reboot, and unmounts what nobody holds or no container has had for long. Done at the start and every
   * ten seconds.
   */
  async settle(): Promise<void> {
    const mounted = mountedBelow(this.#root).flatMap((entry) => nameOf(entry) ?? []);
    const names = new Set([...this.#ids.entries().map(([name]) => name), ...mounted]);
    if (names.size === 0) return;
    // A new holder of a volume is remembered meanwhile, and seen by that.
    const elsewhere = mountsElsewhere();
    for (const name of names) {
      await this.#inTurn(name, () => this.#settle(name, elsewhere)).catch((error: unknown) =>
        this.#settings.log.warn('an unused volume stays mounted', { volume: name, error: messageOf(error) }),
      );
    }
  }

  /** Leaves everything mounted: containers use it, and the next process finds it. */
  close(): void {
    clearInterval(this.#timer);
    this.#ids.close();
  }

  async #settle(name: string, elsewhere: Elsewhere): Promise<void> {
    const { seesContainers = seesWholeHost(), abandonedAfterMs = 600_000, log } = this.#settings;
    const directory = this.#directory(name);
    const ids = this.holders(name);
    const entry = mountedAt(directory);
    if (!entry) {
      this.#remember(name, []);
      return;
    }
    if (!seesContainers || isHeldElsewhere(entry, elsewhere)) {
      this.#unseenSince.delete(name);
      return;
    }
    if (ids.length === 0) return await this.#unmount(name, directory, 'released');
    const since = this.#unseenSince.get(name) ?? performance.now();
    this.#unseenSince.set(name, since);
    if (performance.now() - since < abandonedAfterMs) return;
    await this.#unmount(name, directory, 'abandoned');
    log.warn('unmounted a volume that no container has, without an Unmount', { volume: name, holders: ids });
    this.#remember(name, []);
  }

  /** @returns whether it was mounted now */
  async #ensureMounted(name: string, directory: string): Promise<boolean> {
    const entry = mountedAt(directory);
    if (entry && !(await this.#isDead(name, directory, entry))) return false;
    if (entry) await this.#detach(directory);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    try {
      await this.#settings.mount(name, directory);
      if (!mountedAt(directory)) throw systemError(`volume ${name}: nothing was mounted at ${directory}`);
    } catch (error) {
      await this.#detach(directory);
      removeEmpty(directory);
      throw error;
    }
    return true;
  }

  async #isDead(name: string, directory: string, { type }: MountEntry): Promise<boolean> {
    if (this.#settings.isDead) return await this.#settings.isDead(name, directory);
    return type.startsWith('fuse') && (await isDead(directory));
  }

  /** @returns whether nothing is mounted there now */
  async #unmountWhenFree(name: string, directory: string): Promise<boolean> {
    const deadline = performance.now() + lingerMs;
    for (let wait = 10; ; wait *= 2) {
      const entry = mountedAt(directory);
      if (!entry) return true;
      if (!isHeldElsewhere(entry)) break;
      if (performance.now() + wait > deadline) {
        this.#settings.log.info('a volume without holders is left to the container that has it', { volume: name });
        return false;
      }
      await pause(wait);
    }
    await this.#unmount(name, directory, 'released');
    return true;
  }

  async #unmount(name: string, directory: string, why: 'released' | 'abandoned'): Promise<void> {
    const { unmount } = this.#settings;
    if (unmount) await unmount(name, directory, why);
    else await takeAway(directory, why === 'released');
    if (mountedAt(directory)) throw systemError(`volume ${name} is mounted at ${directory} still`);
    this.#unseenSince.delete(name);
    removeEmpty(directory);
  }

  async #detach(directory: string): Promise<void> {
    while (mountedAt(directory)) await takeAway(directory, true);
  }

  #remember(name: string, ids: readonly string[]): void {
    if (ids.length > 0) this.#ids.set(name, ids);
    else this.#ids.delete(name);
  }

  #directory(name: string): string {
    return join(this.#root, entryOf(name));
  }
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Somebody wrote into it while nothing was mounted: theirs to keep, and in nobody's way.
  }
}

/** A volume's name as that of a directory: nothing in it leads anywhere. @throws InvalidParameter */
function entryOf(name: string): string {
  let entry = '';
  try {
    entry = encodeURIComponent(name).replace(/^\./, '%2E');
  } catch {
    // Half a character is refused below.
  }
  if (entry === '' || entry.length > 255) {
    throw invalidParameter(`a volume that is to be mounted cannot be called ${JSON.stringify(name.slice(0, 300))}`);
  }
  return entry;
}

/** Undefined: none of ours. */
function nameOf(entry: string): string | undefined {
  try {
    const name = decodeURIComponent(entry);
    return entryOf(name) === entry ? name : undefined;
  } catch {
    return undefined;
  }
}
