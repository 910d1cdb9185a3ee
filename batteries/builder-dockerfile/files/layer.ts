import { closeSync, constants, fstatSync, readlinkSync } from 'node:fs';
import type { TarEntry } from '@cleat/linux/archive/tar-header';
import { encodeHeader, paddingOf } from '@cleat/linux/archive/tar-writer';
import { type ByteName, textOf } from '@cleat/linux/rootfs/names';
import type { Root } from '@cleat/linux/rootfs/root';
import { portableXattrs } from '@cleat/linux/rootfs/xattrs';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { O_PATH } from '@cleat/linux/syscall/files';
import { fault } from '../language/fault.js';
import type { Owner } from './owner.js';

export interface Attributes extends Owner {
  readonly mode: number;
  /** Seconds. */
  readonly mtime: number;
  readonly xattrs: Map<string, Buffer>;
}

type Kind = TarEntry['type'];

const noDevice = { major: 0, minor: 0 } as const;

/**
 * A layer that grows, as a tar: knows what lies below it and what is in it already, so that directories come before
 * what is in them, those that exist keep what they have, and nothing is put where it cannot be.
 */
export class Layer {
  readonly #below: Root | undefined;
  readonly #kinds = new Map<string, Kind>();
  /** Directories that this layer has made: nothing of what lies below is in them. */
  readonly #made = new Set<string>();
  /** No time is later than this; seconds. */
  readonly #latest: number;

  /** @param below the image's files; undefined where it has none */
  constructor(below: Root | undefined, latest = Number.POSITIVE_INFINITY) {
    this.#below = below;
    this.#latest = latest;
  }

  /** The kind of the entry at a path, here or below; a symlink is one. */
  kindAt(path: ByteName): Kind | 'other' | undefined {
    const own = this.#kinds.get(path);
    if (own !== undefined || this.#made.has(parentOf(path))) return own;
    return this.#lookBelow(path, () => undefined).kind;
  }

  /** Headers of the directories above `path` that are not in the tar yet. @param make for those that do not exist */
  *above(path: ByteName, make: (path: ByteName) => Attributes): Generator<Buffer> {
    const parent = parentOf(path);
    if (parent !== '') yield* this.directory(parent, make);
  }

  /** The same with the directory itself. @throws DockerfileFault when something else is there */
  *directory(path: ByteName, make: (path: ByteName) => Attributes): Generator<Buffer> {
    if (path === '' || this.#kinds.get(path) === 'directory') return;
    yield* this.above(path, make);
    const below = this.#made.has(parentOf(path)) ? {} : this.#lookBelow(path, (fd) => attributesAt(fd));
    const kind = this.#kinds.get(path) ?? below.kind;
    if (kind !== undefined && kind !== 'directory') {
      throw fault(`cannot copy to non-directory: /${textOf(path)}`);
    }
    if (kind === undefined) this.#made.add(path);
    yield this.#head(path, 'directory', below.facts ?? make(path));
  }

  /** A directory with these attributes, whether it exists or not. Directories above it are there. */
  *overwritten(path: ByteName, attributes: Attributes): Generator<Buffer> {
    const kind = this.kindAt(path);
    if (kind !== undefined && kind !== 'directory') throw fault(`cannot copy to non-directory: /${textOf(path)}`);
    if (kind === undefined) this.#made.add(path);
    yield this.#head(path, 'directory', attributes);
  }

  /** The head of anything else. Directories above it are there. @throws DockerfileFault in place of a directory */
  entry(path: ByteName, entry: Attributes & Partial<TarEntry> & { type: Exclude<Kind, 'directory'> }): Buffer {
    if (this.kindAt(path) === 'directory') throw fault(`cannot replace to directory /${textOf(path)} with file`);
    return this.#head(path, entry.type, entry);
  }

  /** Bytes that fill up the last block of a file. */
  padding(size: number): Buffer {
    return paddingOf(size);
  }

  #head(path: ByteName, type: Kind, given: Attributes & Partial<TarEntry>): Buffer {
    this.#kinds.set(path, type);
    const { mode, uid, gid, xattrs, size = 0, linkName = '' as ByteName, major, minor } = given;
    const name = (type === 'directory' ? `${path}/` : path) as ByteName;
    const mtime = Math.min(given.mtime, this.#latest);
    const device = major === undefined || minor === undefined ? noDevice : { major, minor };
    return encodeHeader({ name, type, mode, uid, gid, mtime, xattrs, size, linkName, ...device });
  }

  #lookBelow<T>(path: ByteName, look: (fd: number) => T): { kind?: Kind | 'other'; facts?: T } {
    if (!this.#below) return {};
    let fd: number;
    try {
      fd = this.#below.openName(path, O_PATH | constants.O_NOFOLLOW);
    } catch (error) {
      // A file in the way of a directory shows when that is made.
      if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return {};
      throw error;
    }
    try {
      const stats = fstatSync(fd);
      if (stats.isDirectory()) return { kind: 'directory', facts: look(fd) };
      return { kind: stats.isSymbolicLink() ? 'symlink' : stats.isFile() ? 'file' : 'other' };
    } finally {
      closeSync(fd);
    }
  }
}

function attributesAt(fd: number): Attributes {
  const { mode, uid, gid, mtimeMs } = fstatSync(fd);
  return {
    mode: mode & 0o7777,
    uid,
    gid,
    mtime: Math.floor(mtimeMs / 1000),
    xattrs: portableXattrs(Buffer.from(readlinkSync(`/proc/self/fd/${fd}`, 'buffer'))),
  };
}

/** Parent of a name without a slash at its beginning; empty at the top. */
export function parentOf(path: ByteName): ByteName {
  const at = path.lastIndexOf('/');
  return (at < 0 ? '' : path.slice(0, at)) as ByteName;
}

/** A name in a directory; either may be empty. */
export function under(directory: ByteName, name: ByteName): ByteName {
  if (name === '') return directory;
  return (directory === '' ? name : `${directory}/${name}`) as ByteName;
}
