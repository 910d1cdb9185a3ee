import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, notFound } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { makeDirectoryDurably, syncDirectoryLater } from '../durable-file.js';
import { isVolumeName } from './names.js';

/** Directories that are not yet, or no longer, a volume; no volume's name begins with a dot. */
const asidePrefix = '.removed-';

/**
 * One directory per volume. Each is made aside and moved into place, and moved aside before it is deleted: whenever the
 * process is killed, there is never half a volume. What is made or removed is flushed, so that a power cut neither loses
 * a volume nor brings one back.
 */
export class VolumeDirectories {
  readonly root: string;

  /** @param root made (0701) when it is not there; may be a symlink */
  constructor(root: string) {
    makeDirectoryDurably(root, 0o701);
    // As the kernel names it, so that mounts in it are found in mountinfo.
    this.root = realpathSync(root);
  }

  /** Names of all volumes. */
  names(): string[] {
    return readdirSync(this.root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && isVolumeName(entry.name))
      .map(({ name }) => name);
  }

  has(name: string): boolean {
    return isVolumeName(name) && statSync(join(this.root, name), { throwIfNoEntry: false })?.isDirectory() === true;
  }

  /** The directory of a volume. @throws NotFound */
  find(name: string): string {
    if (!this.has(name)) throw notFound('no such volume');
    return join(this.root, name);
  }

  /** When a volume was made: RFC 3339. Nothing inside its directory is touched, which may be a dead server. */
  createdAt(name: string): string {
    return statSync(this.find(name)).birthtime.toISOString();
  }

  /**
   * There is such a volume as soon as this returns, and after a power cut once it resolves.
   * @param fill puts into the directory (0701) what the volume is to have from its first moment on; files flushed
   */
  async make(name: string, fill: (directory: string) => void): Promise<void> {
    const draft = this.#aside();
    mkdirSync(draft, { mode: 0o701 });
    try {
      fill(draft);
      renameSync(draft, join(this.root, name));
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      throw error;
    }
    await syncDirectoryLater(join(this.root, name));
    await syncDirectoryLater(this.root);
  }

  /**
   * There is no such volume as soon as this returns, and after a power cut once it resolves.
   * @returns where its directory is now, with all that is mounted in it
   */
  async putAside(name: string): Promise<string> {
    const doomed = this.#aside();
    renameSync(this.find(name), doomed);
    await syncDirectoryLater(this.root);
    return doomed;
  }

  /** Discards whatever a crash left of volumes half made and half removed; in the background, it may be large. */
  sweep(discard: (directory: string) => Promise<void>, log: Logger): void {
    for (const entry of readdirSync(this.root)) {
      if (!entry.startsWith(asidePrefix)) continue;
      const path = join(this.root, entry);
      discard(path).catch((error: unknown) =>
        log.warn('cannot remove what is left of a volume', { path, error: messageOf(error) }),
      );
    }
  }

  #aside(): string {
    return join(this.root, `${asidePrefix}${randomBytes(8).toString('hex')}`);
  }
}
