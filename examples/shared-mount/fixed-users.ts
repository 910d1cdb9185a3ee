import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { mountIdmapped, type OwnerMap } from '@cleat/linux/mount/idmapped';
import { unmount } from '@cleat/linux/mount/mount';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { invalidParameter } from '@cleat/sdk';
import type { User } from './options.js';

const nobody = 65534;

/**
 * A mount of its own for each Mount that asks for another user, on a directory named after its ID. What is mounted is
 * the kernel's to know; nothing else is kept, and so nothing can be wrong after a crash.
 */
export class FixedUserMounts {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true, mode: 0o711 });
    // Remains of a kill in the middle of a Mount.
    for (const id of readdirSync(root)) if (!isMountPoint(this.#path(id))) rmdirSync(this.#path(id));
  }

  /**
   * Files that `seen` makes there are stored as made by `as`.
   * @returns where
   */
  async mount(id: string, directory: string, as: User, seen: User): Promise<string> {
    // A Mount that is repeated, because nobody heard the first answer.
    this.unmount(id);
    const path = this.#path(id);
    mkdirSync(path);
    try {
      await mountIdmapped(directory, path, ownerMap(statSync(directory), as, seen));
    } catch (error) {
      rmdirSync(path);
      throw error;
    }
    return path;
  }

  /** Nothing there is fine. Who still uses it keeps it until done. */
  unmount(id: string): void {
    const path = this.#path(id);
    unmount(path);
    if (existsSync(path)) rmdirSync(path);
  }

  #path(id: string): string {
    if (!/^\w[\w-]*$/.test(id)) throw invalidParameter(`a mount cannot have the ID ${JSON.stringify(id)}`);
    return join(this.#root, id);
  }
}

/** The volume's own directory must have an owner there, too, or nobody could make anything in it: it is nobody's. */
function ownerMap(directory: User, as: User, seen: User): OwnerMap {
  const ids = (key: 'uid' | 'gid') => {
    const one = { stored: as[key], seen: seen[key], count: 1 };
    if (directory[key] === as[key]) return [one];
    return [one, { stored: directory[key], seen: seen[key] === nobody ? nobody - 1 : nobody, count: 1 }];
  };
  return { users: ids('uid'), groups: ids('gid') };
}
