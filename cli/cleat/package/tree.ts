import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, type Stats } from 'node:fs';
import { type ByteName, joined, nameOf, readLink, textOf } from '@cleat/linux/rootfs/names';
import { portableXattrs } from '@cleat/linux/rootfs/xattrs';
import { conflict, invalidParameter } from '@cleat/protocol/errors';

/** Extended attributes: capabilities of files, and what users set. */
type Xattrs = ReadonlyMap<string, Buffer>;

/** One entry of a root file system that is being made. Owners are root, times are one time: they are not kept. */
export type Entry =
  | { readonly type: 'directory'; readonly mode: number; readonly xattrs?: Xattrs }
  | { readonly type: 'symlink'; readonly target: ByteName }
  | {
      readonly type: 'file';
      readonly mode: number;
      readonly size: number;
      /** Where its bytes are: a path on this host, or the bytes themselves. */
      readonly from: Buffer | { readonly path: Buffer };
      /** Files of one inode are one file with several names. */
      readonly inode?: string;
      readonly xattrs?: Xattrs;
    };

const directoryMode = 0o755;

/** A root file system as a set of names: `usr/bin/node`, without slashes around it. */
export class Tree {
  readonly #entries = new Map<ByteName, Entry>();

  /** In the order of their bytes: a directory before what is in it, and the same for the same files. */
  sorted(): [ByteName, Entry][] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: ByteName): Entry | undefined {
    return this.#entries.get(name);
  }

  /** Adds an entry, and the directories above it. @throws Conflict when another is there already */
  add(name: ByteName, entry: Entry): void {
    this.#addParents(name);
    const before = this.#entries.get(name);
    if (
      before !== undefined &&
      !(before.type === 'directory' && entry.type === 'directory') &&
      !isSame(before, entry)
    ) {
      throw conflict(`/${textOf(name)} would be in the package twice, as two different files`);
    }
    this.#entries.set(name, entry);
  }

  directory(path: string, mode = directoryMode): void {
    this.add(nameOf(path), { type: 'directory', mode });
  }

  file(path: string, text: string, mode = 0o644): void {
    const from = Buffer.from(text);
    this.add(nameOf(path), { type: 'file', mode, size: from.length, from });
  }

  #addParents(name: ByteName): void {
    for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) {
      const parent = name.slice(0, at) as ByteName;
      const there = this.#entries.get(parent);
      if (there === undefined) this.#entries.set(parent, { type: 'directory', mode: directoryMode });
      else if (there.type !== 'directory') {
        throw conflict(`/${textOf(name)} cannot be in the package: /${textOf(parent)} is no directory there`);
      }
    }
  }
}

function isSame(a: Entry, b: Entry): boolean {
  if (a.type === 'symlink' && b.type === 'symlink') return a.target === b.target;
  return a.type === 'file' && b.type === 'file' && a.size === b.size && sourceOf(a) === sourceOf(b);
}

const sourceOf = ({ from }: Extract<Entry, { type: 'file' }>): string =>
  Buffer.isBuffer(from) ? `text ${from.toString('latin1')}` : `file ${from.path.toString('latin1')}`;

export interface Taken {
  /** Whether an entry belongs in; its path is relative to the directory. Directories that do not are not entered. */
  readonly wanted?: (path: string, isDirectory: boolean) => boolean;
  /** Only these bits of a file's mode, with those of a plain file, and no attributes. Absent: all as they are. */
  readonly plainModes?: boolean;
}

/**
 * Adds a directory of this host with all that is in it. Symbolic links are kept as links, never followed.
 * @param into its name in the tree; empty: the root
 * @throws InvalidParameter for a device, a FIFO or a directory that cannot be read
 */
export function addDirectory(tree: Tree, directory: string, into: string, taken: Taken = {}): void {
  const root = nameOf(into);
  if (root !== '') tree.add(root, { type: 'directory', mode: directoryMode });
  visit({ tree, taken, root, top: Buffer.from(nameOf(directory), 'latin1') }, '' as ByteName);
}

interface Visit {
  readonly tree: Tree;
  readonly taken: Taken;
  readonly root: ByteName;
  readonly top: Buffer;
}

function visit(all: Visit, inside: ByteName): void {
  const { tree, taken, root, top } = all;
  const here = inside === '' ? top : Buffer.concat([top, Buffer.from(`/${inside}`, 'latin1')]);
  for (const raw of readdirSync(here, { encoding: 'buffer' })) {
    const own = raw.toString('latin1') as ByteName;
    const name = inside === '' ? own : joined(inside, '/', own);
    const path = Buffer.concat([here, Buffer.from('/'), raw]);
    const stats = lstatSync(path);
    if (taken.wanted && !taken.wanted(textOf(name), stats.isDirectory())) continue;
    const place = root === '' ? name : joined(root, '/', name);
    const entry = entryOf(path, stats, taken.plainModes ?? false);
    // A socket means nothing without its process; Docker leaves it out, too.
    if (entry === undefined) continue;
    tree.add(place, entry);
    if (entry.type === 'directory') visit(all, name);
  }
}

/** @returns undefined for a socket. @throws InvalidParameter for what a package cannot hold */
export function entryOf(path: Buffer, stats: Stats, plainModes: boolean): Entry | undefined {
  const bits = stats.mode & 0o7777;
  if (stats.isDirectory()) {
    return plainModes
      ? { type: 'directory', mode: directoryMode }
      : { type: 'directory', mode: bits, ...withXattrs(path) };
  }
  if (stats.isSymbolicLink()) return { type: 'symlink', target: nameOf(readLink(path)) };
  if (stats.isSocket()) return undefined;
  if (!stats.isFile()) {
    throw invalidParameter(`${path} is a device or a FIFO, which a package cannot hold: let the plugin make it`);
  }
  checkReadable(path);
  const mode = plainModes ? ((bits & 0o111) !== 0 ? 0o755 : 0o644) : bits;
  return {
    type: 'file',
    mode,
    size: stats.size,
    from: { path },
    ...(stats.nlink > 1 && !plainModes && { inode: `${stats.dev}:${stats.ino}` }),
    ...(!plainModes && withXattrs(path)),
  };
}

function withXattrs(path: Buffer): { xattrs?: Xattrs } {
  const xattrs = portableXattrs(path);
  return xattrs.size > 0 ? { xattrs } : {};
}

/** Said before anything is written. */
function checkReadable(path: Buffer): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(descriptor).isFile()) throw invalidParameter(`${path} changed while it was packaged`);
  } finally {
    closeSync(descriptor);
  }
}
