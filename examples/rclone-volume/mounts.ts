import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Helper } from '@cleat/linux/helper/helper';
import { unmount, unmountAll } from '@cleat/linux/mount/mount';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { bootId, isAlive, type ProcessIdentity } from '@cleat/linux/process/identity';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { isClass } from '@cleat/protocol/errors';
import { DurableMap, type Logger, unavailable } from '@cleat/sdk';
import { type Rclone, reasonIn } from './rclone.js';
import type { VolumeFiles } from './volume-files.js';

const readyMs = 15_000;
const lookMs = 5_000;
const sendMs = 10_000;
const pollMs = 50;

/** The holders of the mount of a volume, and the process that serves it. */
interface Held {
  /** After another boot nobody holds anything. */
  boot: string;
  /** IDs of the engine's Mounts. A set, not a number: a call that comes twice, or too late, changes nothing. */
  ids: readonly string[];
  server?: ProcessIdentity;
}

/** One mount for each volume in use, however many containers use it. The calls for one volume must come in turn. */
export class Mounts {
  readonly #rclone: Rclone;
  readonly #log: Logger;
  readonly #held: DurableMap<Held>;
  /** A dead file system may hold a process that looks at it. */
  readonly #helper = new Helper({ deadlineMs: lookMs, idleMs: 1000 });

  /** @param path of the file that outlives us */
  constructor(path: string, rclone: Rclone, log: Logger) {
    this.#rclone = rclone;
    this.#log = log;
    this.#held = new DurableMap(path, log);
  }

  /** After a start: ends what a kill in the middle of a call left, and keeps what containers use. */
  recover(name: string, volume: VolumeFiles): void {
    if (this.#of(name).ids.length === 0) this.#end(name, volume);
  }

  holders(name: string): number {
    return this.#of(name).ids.length;
  }

  /** Mounts it, unless that is done and alive. @throws Unavailable, and leaves nothing behind */
  async acquire(name: string, volume: VolumeFiles, id: string): Promise<void> {
    if (!(await this.#isServed(name, volume))) {
      // A dead mount would stay so for ever, and its holders keep it in any case.
      this.#end(name, volume);
      await this.#mount(name, volume);
    }
    const held = this.#of(name);
    this.#held.set(name, { ...held, ids: [...new Set([...held.ids, id])] });
  }

  /** With the last one that holds it the mount goes, once what was written is sent. */
  async release(name: string, volume: VolumeFiles, id: string): Promise<void> {
    const held = this.#of(name);
    if (!held.ids.includes(id)) return;
    const ids = held.ids.filter((each) => each !== id);
    this.#held.set(name, { ...held, ids });
    if (ids.length > 0) return;
    await this.#send(name, volume);
    // Its process ends by itself, with the last that uses it.
    unmount(volume.target);
  }

  /** Takes the mount away, no matter who holds it. */
  remove(name: string, volume: VolumeFiles): void {
    this.#held.set(name, { ...this.#of(name), ids: [] });
    this.#end(name, volume);
  }

  close(): void {
    this.#helper.close();
    this.#held.close();
  }

  #of(name: string): Held {
    const held = this.#held.get(name);
    return held?.boot === bootId() ? held : { boot: bootId(), ids: [] };
  }

  async #isServed(name: string, { target }: VolumeFiles): Promise<boolean> {
    const { server } = this.#of(name);
    if (!server || !isAlive(server) || !isMountPoint(target)) return false;
    try {
      // It lives; does it answer? Unlike stat(2), this is asked of the process each time.
      await this.#helper.call('statFileSystem', { path: target });
      return true;
    } catch (error) {
      if (!isClass(error, 'DeadlineExceeded') && errnoOf(error) !== 'ENOTCONN') throw error;
      this.#log.warn('the file system of a volume does not answer, and is replaced', { volume: name });
      return false;
    }
  }

  async #mount(name: string, volume: VolumeFiles): Promise<void> {
    const server = await this.#rclone.serve(volume);
    // From here on it is known, whenever we are killed.
    this.#held.set(name, { ...this.#of(name), server });
    const deadline = Date.now() + readyMs;
    while (!isMountPoint(volume.target)) {
      if (server && isAlive(server) && Date.now() < deadline) {
        await pause(pollMs);
        continue;
      }
      this.#end(name, volume);
      throw unavailable(`volume ${name} cannot be mounted: ${reasonIn(readFileSync(volume.log, 'utf8'))}`);
    }
  }

  /** Ends the process at once, and its mount. Who holds it is still known. */
  #end(name: string, { target }: VolumeFiles): void {
    const { server, ...held } = this.#of(name);
    if (server && isAlive(server)) kill(server);
    unmountAll(target);
    if (held.ids.length > 0) this.#held.set(name, held);
    else this.#held.delete(name);
  }

  /** Sends what a container wrote last to the back end before it has ended, if that can be. */
  async #send(name: string, volume: VolumeFiles): Promise<void> {
    const { server } = this.#of(name);
    const deadline = Date.now() + sendMs;
    for (;;) {
      const unsent = await volume.unsent();
      if (unsent === 0) return;
      if (!server || !isAlive(server) || Date.now() > deadline) {
        this.#log.warn('files are not at the back end yet; they go there with the next Mount', {
          volume: name,
          unsent,
        });
        return;
      }
      await pause(pollMs);
    }
  }
}

function kill({ pid }: ProcessIdentity): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it has just ended, which is what was wanted.
  }
}
