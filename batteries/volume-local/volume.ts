import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, systemError } from '@cleat/protocol/errors';
import type { MountOptions } from './options.js';

/**
 * One volume on disk: `<root>/<name>/_data` is what containers see; beside it `opts.json` (as Docker writes it) and
 * `holders.json` (who holds the mount). Files are the only state, so a killed process forgets nothing.
 */
export class VolumeFiles {
  readonly directory: string;
  readonly data: string;
  readonly #optionsFile: string;
  readonly #holdersFile: string;

  constructor(root: string, name: string) {
    this.directory = join(root, name);
    this.data = join(this.directory, '_data');
    this.#optionsFile = join(this.directory, 'opts.json');
    this.#holdersFile = join(this.directory, 'holders.json');
  }

  /** When it was made; undefined when there is no such volume. Never touches `_data`, which may be a dead server. */
  createdAt(): Date | undefined {
    const facts = statSync(this.directory, { throwIfNoEntry: false });
    return facts?.isDirectory() ? facts.birthtime : undefined;
  }

  /** What is to be mounted; undefined for a plain directory. @throws System when the file is damaged */
  options(): MountOptions | undefined {
    const options = this.#read(this.#optionsFile) as Partial<MountOptions> | undefined;
    const { MountType = '', MountOpts = '', MountDevice = '' } = options ?? {};
    return MountType || MountDevice ? { MountType, MountOpts, MountDevice } : undefined;
  }

  writeOptions(options: MountOptions): void {
    this.#write(this.#optionsFile, { ...options, Quota: { Size: 0 } });
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

  #write(path: string, value: unknown): void {
    writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}
