import { closeSync, constants, fstatSync, mkdirSync, openSync } from 'node:fs';
import { invalidParameter } from '@cleat/protocol/errors';
import { errnoOf } from '../syscall/errno.js';
import { openBeneath } from '../syscall/files.js';
import { type ByteName, entryAt, joined, nameOf, textOf } from './names.js';
import type { Root } from './root.js';

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY;

/** Bytes of a path that the kernel takes in one go; it is 4096 with the NUL. */
const maxPath = 4000;

/**
 * The directory that an archive is extracted to. Directories below it are opened by name, symlinks on the way being
 * followed inside the root only, however the container changes them meanwhile. One that the archive itself brought must
 * not lead out of the destination either.
 */
export class Destination implements Disposable {
  readonly #root: Root;
  readonly #fd: number;
  /** The destination's own path inside the root. */
  readonly #path: ByteName;
  readonly #isRoot: boolean;
  /** Symlinks that the archive brought. */
  readonly #links = new Set<ByteName>();
  /** The directory of the last entry: the next one is mostly in it, too. */
  #last: { name: ByteName; fd: number } | undefined;

  /** @throws CleatError NotFound, InvalidParameter */
  constructor(root: Root, path: string) {
    this.#root = root;
    this.#fd = root.open(path, directoryFlags);
    this.#path = nameOf(root.resolve(path));
    const top = root.open('/', directoryFlags);
    const [own, all] = [fstatSync(this.#fd, { bigint: true }), fstatSync(top, { bigint: true })];
    closeSync(top);
    this.#isRoot = own.dev === all.dev && own.ino === all.ino;
  }

  get fd(): number {
    return this.#fd;
  }

  [Symbol.dispose](): void {
    this.#forget();
    closeSync(this.#fd);
  }

  noteLink(name: ByteName): void {
    this.#links.add(name);
  }

  /** An entry that replaces a directory is in another one: what was open is never what was replaced. */
  #forget(): void {
    if (this.#last) closeSync(this.#last.fd);
    this.#last = undefined;
  }

  /**
   * Opens a directory; '' is the destination. The descriptor is good until the next call.
   * @param missing is called for each part that is no directory: makes one in the directory above, or throws
   */
  open(name: ByteName, missing?: (parentFd: number, part: ByteName) => void): number {
    const last = this.#last;
    if (last?.name === name) return last.fd;
    // Mostly archives go down step by step.
    const below = last && name.startsWith(`${last.name}/`) ? name.slice(last.name.length + 1) : '/';
    const known = last && !below.includes('/') ? this.#openBelow(last.fd, below as ByteName, name) : undefined;
    this.#forget();
    if (name === '') return this.#fd;
    const fd = known ?? this.#openExisting(name) ?? (missing && this.#make(name, missing));
    if (fd === undefined) throw invalidParameter(`${textOf(name)}: no such directory`);
    this.#last = { name, fd };
    return fd;
  }

  /** @returns undefined when there is no such directory */
  #openExisting(name: ByteName): number | undefined {
    return ifDirectory(() => this.#openLong(name));
  }

  /** @param name the whole name of `part`, for a symlink that leads out of the directory above it */
  #openBelow(fd: number, part: ByteName, name: ByteName): number | undefined {
    return ifDirectory(() => {
      try {
        return openBeneath(fd, Buffer.from(part, 'latin1'), directoryFlags);
      } catch (error) {
        if (errnoOf(error) !== 'EXDEV') throw error;
        return this.#openLong(name);
      }
    });
  }

  #make(name: ByteName, missing: (parentFd: number, part: ByteName) => void): number {
    let walked = nameOf('');
    let fd = openSync(`/proc/self/fd/${this.#fd}/.`, directoryFlags);
    for (const part of name.split('/') as ByteName[]) {
      walked = walked === '' ? part : joined(walked, '/', part);
      try {
        const present = this.#openBelow(fd, part, walked);
        if (present === undefined) missing(fd, part);
        const next = present ?? this.#openBelow(fd, part, walked);
        if (next === undefined) throw invalidParameter(`${textOf(walked)}: not a directory`);
        closeSync(fd);
        fd = next;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    }
    return fd;
  }

  /** Paths that are too long for the kernel go in portions; from the second one on, symlinks must not lead upwards. */
  #openLong(name: ByteName): number {
    if (name.length <= maxPath) return this.#openPart(name);
    let at = name.lastIndexOf('/', maxPath);
    let fd = this.#openPart(name.slice(0, at) as ByteName);
    while (at < name.length) {
      const end = name.length - at - 1 <= maxPath ? name.length : name.lastIndexOf('/', at + 1 + maxPath);
      try {
        const next = openBeneath(fd, Buffer.from(name.slice(at + 1, end), 'latin1'), directoryFlags);
        closeSync(fd);
        fd = next;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      at = end;
    }
    return fd;
  }

  #openPart(name: ByteName): number {
    if (this.#isRoot) return this.#root.openName(name, directoryFlags);
    try {
      return openBeneath(this.#fd, Buffer.from(name, 'latin1'), directoryFlags);
    } catch (error) {
      // A symlink of the container's own may lead elsewhere in it, as for any process in it.
      if (errnoOf(error) !== 'EXDEV' || this.#isBrought(name)) throw error;
      return this.#root.openName(joined(this.#path, '/', name), directoryFlags);
    }
  }

  #isBrought(name: ByteName): boolean {
    const parts = name.split('/');
    return parts.some((_, at) => this.#links.has(parts.slice(0, at + 1).join('/') as ByteName));
  }
}

/** @returns undefined when there is no such directory */
function ifDirectory(open: () => number): number | undefined {
  try {
    return open();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Makes an ordinary directory, unless something is there already. */
export function makeDirectory(parentFd: number, part: ByteName): void {
  try {
    mkdirSync(entryAt(parentFd, part), 0o755);
  } catch (error) {
    // Opening it will tell whether it is a directory.
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}
