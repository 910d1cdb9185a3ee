import { chownSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { writeFileDurably } from '@cleat/sdk';
import type { MountOptions } from './volume-options.js';

/**
 * One volume on disk: `_data` is what containers see; beside it `opts.json` (as Docker writes it) and `holders.json`
 * (who holds the mount). Files are the only state, so a killed process forgets nothing.
 */
export class VolumeFiles {
  readonly data: string;
  readonly #optionsFile: string;
  readonly #holdersFile: string;

  constructor(directory: string) {
    this.data = join(directory, '_data');
    this.#optionsFile = join(directory, 'opts.json');
    this.#holdersFile = join(directory, 'holders.json');
  }

  /** Makes the directory a volume. @param options what is to be mounted; undefined for a plain directory */
  fill(options: MountOptions | undefined, owner: { uid: number; gid: number }): void {
    mkdirSync(this.data, { mode: 0o755 });
    chownSync(this.data, owner.uid, owner.gid);
    // Durable: after a power cut the volume is still what it was made to be.
    if (options) writeFileDurably(this.#optionsFile, JSON.stringify({ ...options, Quota: { Size: 0 } }));
  }

  /** Reads the options of the mount; undefined for a plain directory. @throws System when the file is damaged */
  options(): MountOptions | undefined {
    const options = this.#read(this.#optionsFile) as Partial<MountOptions> | undefined;
    const { MountType = '', MountOpts = '', MountDevice = '' } = options ?? {};
    return MountType || MountDevice ? { MountType, MountOpts, MountDevice } : undefined;
  }

  /** IDs of the mounts that were asked for and not given back. */
  holders(): Set<string> {
    const list = this.#read(this.#holdersFile);
    return new Set(Array.isArray(list) ? list.filter((id) => typeof id === 'string') : []);
  }

  writeHolders(holders: ReadonlySet<string>): void {
    if (holders.size === 0) rmSync(this.#holdersFile, { force: true });
    else this.#writeHolders([...holders]);
  }

  #read(path: string): unknown {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch {
      // Plain volumes have none of the files.
      return undefined;
    }
    // A power cut may have emptied the list of holders, and has ended their mounts.
    if (text === '' && path === this.#holdersFile) return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw systemError(`${path} is damaged: ${messageOf(cause)}`, { cause });
    }
  }

  /** Not flushed: what it says does not outlive a power cut. */
  #writeHolders(holders: readonly string[]): void {
    writeFileSync(`${this.#holdersFile}.new`, JSON.stringify(holders), { mode: 0o600 });
    renameSync(`${this.#holdersFile}.new`, this.#holdersFile);
  }
}
