import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { isClass } from '@cleat/protocol/errors';
import { errnoOf } from '../syscall/errno.js';
import { getXattr, listXattrs, makeNode, O_PATH, setXattr, splitDevice } from '../syscall/files.js';
import { chmodNoFollow, linkDescriptor } from './nofollow.js';
import { classed, entryPath, type Root } from './root.js';

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Files with several names that are held open; the names of further ones become copies of their own. */
const maxLinks = 1000;

/** Attributes that belong to the file system that they are on, not to the file. */
const ownXattr = /^(trusted\.overlay\.|user\.overlay\.|system\.)/;

/**
 * Copies what is in the directory `path` of a root into the directory `destination` of the host, which also gets its
 * owner, mode and times. Owners, modes, times, hard links, devices and extended attributes are kept. Nothing that is
 * there already is replaced. Every step is relative to an open directory: no symlink is ever followed.
 * @returns false when `path` is missing or no directory, so that there is nothing to copy
 */
export function copyDirectory(root: Root, path: string, destination: string): boolean {
  let source: number;
  try {
    source = root.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isClass(error, 'NotFound') || isClass(error, 'InvalidParameter')) return false;
    throw error;
  }
  try {
    const target = openSync(destination, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const links = new Map<string, number>();
      try {
        copyContents(source, target, links);
      } finally {
        for (const fd of links.values()) closeSync(fd);
      }
    } catch (error) {
      throw classed(error, path);
    } finally {
      closeSync(target);
    }
    return true;
  } finally {
    closeSync(source);
  }
}

/** `links`: device and inode of a file with several names → its copy, open. */
function copyContents(source: number, target: number, links: Map<string, number>): void {
  for (const name of readdirSync(`/proc/self/fd/${source}`)) copyEntry(source, target, name, links);
  const stats = fstatSync(source, { bigint: true });
  copyXattrs(`/proc/self/fd/${source}/.`, `/proc/self/fd/${target}/.`);
  chownSync(`/proc/self/fd/${target}`, Number(stats.uid), Number(stats.gid));
  chmodSync(`/proc/self/fd/${target}`, Number(stats.mode) & 0o7777);
  utimesSync(`/proc/self/fd/${target}`, seconds(stats.atimeNs), seconds(stats.mtimeNs));
}

function copyEntry(source: number, target: number, name: string, links: Map<string, number>): void {
  const from = entryPath(source, name);
  const to = entryPath(target, name);
  const stats = lstatSync(from, { bigint: true });
  if (stats.isDirectory()) {
    try {
      mkdirSync(to, 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    withDirectory(from, (inner) => withDirectory(to, (innerTarget) => copyContents(inner, innerTarget, links)));
    return;
  }
  const key = `${stats.dev}:${stats.ino}`;
  const twin = links.get(key);
  try {
    if (twin !== undefined) {
      linkDescriptor(twin, to);
      return;
    }
    if (stats.isFile()) copyFile(from, to);
    else if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    else if (stats.isSocket()) return;
    else {
      const { major, minor } = splitDevice(stats.rdev);
      makeNode(to, Number(stats.mode), major, minor);
    }
  } catch (error) {
    // What the volume holds already stays.
    if (errnoOf(error) === 'EEXIST') return;
    throw error;
  }
  if (stats.nlink > 1n && links.size < maxLinks) links.set(key, openSync(to, O_PATH | constants.O_NOFOLLOW));
  lchownSync(to, Number(stats.uid), Number(stats.gid));
  copyXattrs(from, to);
  if (!stats.isSymbolicLink()) chmodNoFollow(to, Number(stats.mode) & 0o7777);
  lutimesSync(to, seconds(stats.atimeNs), seconds(stats.mtimeNs));
}

function copyFile(from: string, to: string): void {
  const source = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const target = openSync(to, flags, 0o600);
    try {
      // Through the descriptors: the kernel copies, or shares blocks where the file system can.
      copyFileSync(`/proc/self/fd/${source}`, `/proc/self/fd/${target}`);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

function copyXattrs(from: string, to: string): void {
  let names: string[];
  try {
    names = listXattrs(from);
  } catch (error) {
    if (errnoOf(error) === 'EOPNOTSUPP' || errnoOf(error) === 'ENOTSUP') return;
    throw error;
  }
  for (const name of names) {
    if (ownXattr.test(name)) continue;
    try {
      setXattr(to, name, getXattr(from, name));
    } catch (error) {
      const errno = errnoOf(error);
      // The volume's file system may not know attributes, or not this one.
      if (errno !== 'EOPNOTSUPP' && errno !== 'ENOTSUP' && errno !== 'EPERM') throw error;
    }
  }
}

function withDirectory(path: string, use: (fd: number) => void): void {
  const fd = openSync(path, directoryFlags);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9;
}
