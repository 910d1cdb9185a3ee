import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, systemError } from '@cleat/protocol/errors';
import type { MountOptions } from './options.js';

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
  fill(options: MountOptions | undefined): void {
    mkdirSync(this.data, { mode: 0o755 });
    // Durable: after a power cut the volume is still what it was made to be.
    if (options) this.#write(this.#optionsFile, { ...options, Quota: { Size: 0 } }, { flush: true });
  }

  /** What is to be mounted; undefined for a plain directory. @throws System when the file is damaged */
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
    else this.#write(this.#holdersFile, [...holders]);
  }

  #read(path: string): unknown {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch {
      // Plain volumes have none of the files.
      return undefined;
    }
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw systemError(`${path} is damaged: ${messageOf(cause)}`, { cause });
    }
  }

  #write(path: string, value: unknown, { flush = false } = {}): void {
    writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600, flush });
    renameSync(`${path}.new`, path);
  }
}
