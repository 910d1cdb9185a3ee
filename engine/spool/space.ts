import { statfsSync } from 'node:fs';
import { messageOf } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';

const lookEveryMs = 10_000;
/** Less than this is worth a word; what a busy container prints in a minute or two. */
const lowBytes = 512 * 1024 * 1024;
/** Less than this, and conmon may lose what it cannot write, without a word of its own. */
const fullBytes = 8 * 1024 * 1024;

type Level = 'enough' | 'low' | 'full';

/** Watches the space where the output of containers lies, because who writes it there does not say when there is none. */
export class SpaceWatch {
  readonly #path: string;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #level: Level = 'enough';
  #free = Number.POSITIVE_INFINITY;

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
    this.#timer = setInterval(() => this.look(), lookEveryMs).unref();
  }

  /** A sentence for people while there is little; undefined: there is enough. */
  get warning(): string | undefined {
    const free = `${Math.floor(this.#free / 1e6)} MB are free in ${this.#path}`;
    if (this.#level === 'low') return `only ${free}: once it is full, what containers print is lost`;
    if (this.#level === 'full') return `only ${free}: what containers print may be lost`;
    return undefined;
  }

  look(): void {
    try {
      const { bavail, bsize } = statfsSync(this.#path);
      this.#free = bavail * bsize;
    } catch (error) {
      this.#log.debug(`free space cannot be seen: ${messageOf(error)}`, { path: this.#path });
      return;
    }
    const level = this.#free < fullBytes ? 'full' : this.#free < lowBytes ? 'low' : 'enough';
    if (level === this.#level) return;
    this.#level = level;
    if (level === 'enough') this.#log.info('there is space again for what containers print', { path: this.#path });
    else this.#log.warn(this.warning ?? '', { path: this.#path });
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
