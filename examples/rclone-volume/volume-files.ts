import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unmountAll } from '@cleat/linux/mount/mount';

/** The files of a volume on this host; its data is the remote's. */
export class VolumeFiles {
  readonly directory: string;
  /** Where it is mounted. */
  readonly target: string;
  /** The cache: what was read, and what was written and must still be sent. */
  readonly cache: string;
  /** The output of its rclone. */
  readonly log: string;
  readonly #remote: string;

  constructor(directory: string) {
    this.directory = directory;
    this.target = join(directory, 'mount');
    this.cache = join(directory, 'cache');
    this.log = join(directory, 'log');
    this.#remote = join(directory, 'remote');
  }

  /** Makes the directory a volume. */
  fill(remote: string): void {
    for (const path of [this.target, this.cache]) mkdirSync(path, { mode: 0o700 });
    // Durable: after a power cut the volume is still what it was made to be.
    writeFileSync(this.#remote, remote, { mode: 0o600, flush: true });
  }

  /** As rclone knows it, `NAME:PATH`. */
  get remote(): string {
    return readFileSync(this.#remote, 'utf8');
  }

  /**
   * How many files were written and are not at the back end: rclone says so in a file of JSON for each in its cache.
   */
  async unsent(): Promise<number> {
    const facts = join(this.cache, 'vfsMeta');
    if (!existsSync(facts)) return 0;
    let count = 0;
    for (const entry of await readdir(facts, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      // A file that was just removed, or is just being written, says nothing: better once too often.
      const text = await readFile(join(entry.parentPath, entry.name), 'utf8').catch(() => '');
      if (!/"Dirty": *false/.test(text)) count++;
    }
    return count;
  }

  /** Deletes what there is on this host. What is mounted is not ours to delete: never does a walk go into it. */
  async discard(): Promise<void> {
    unmountAll(this.directory);
    // Fails where something is mounted there still.
    if (existsSync(this.target)) rmdirSync(this.target);
    await rm(this.directory, { recursive: true, force: true });
  }
}
