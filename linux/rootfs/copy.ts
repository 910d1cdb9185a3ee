import {
  type BigIntStats,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lchownSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { isClass } from '@cleat/protocol/errors';
import { entryBytes, type Spare } from '../files/spare-space.js';
import { errnoOf } from '../syscall/errno.js';
import { makeNode, O_PATH, splitDevice } from '../syscall/files.js';
import { copyContent } from './copy-content.js';
import { Descent } from './descent.js';
import { type ByteName, entryAt, nameOf } from './names.js';
import { chmodNoFollow, linkDescriptor, openFile } from './nofollow.js';
import { classed, type Root } from './root.js';
import { walk } from './walk.js';
import { readXattrs, writeXattrs } from './xattrs.js';

/** Files with several names that are held open; the names of further ones become copies of their own. */
const maxLinks = 1000;

/** Device and inode of a file with several names → its copy, open. */
type Links = Map<string, number>;

/**
 * Copies what is in the directory `path` of a root into the directory `destination` of the host, which also gets its
 * owner, mode and times. Owners, modes, times, hard links, holes, devices and extended attributes are kept. Nothing that is
 * there already is replaced. Every step is relative to an open directory: no symlink is ever followed.
 * @param spare is told before anything is written
 * @returns false when `path` is missing or no directory, so that there is nothing to copy
 */
export function copyDirectory(root: Root, path: string, destination: string, spare?: Spare): boolean {
  let source: number;
  try {
    source = root.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isClass(error, 'NotFound') || isClass(error, 'InvalidParameter')) return false;
    throw error;
  }
  const links: Links = new Map();
  try {
    copyTree(source, openSync(destination, constants.O_RDONLY | constants.O_DIRECTORY), links, spare);
  } catch (error) {
    throw classed(error, path);
  } finally {
    for (const fd of links.values()) closeSync(fd);
    closeSync(source);
  }
  return true;
}

/** @param target is closed at the end */
function copyTree(source: number, target: number, links: Links, spare: Spare | undefined): void {
  try {
    using into = new Descent(target);
    let depth = 0;
    for (const step of walk(source, nameOf('.'))) {
      if (step.kind === 'before') {
        spare?.take(entryBytes);
        if (depth > 0) makeDirectory(into, step.name);
        depth++;
      } else if (step.kind === 'after') {
        depth--;
        finishDirectory(step.fd, into.fd, step.stats);
        if (depth > 0) into.leave();
      } else {
        spare?.take(entryBytes);
        copyEntry(step.parent, into.fd, step, links, spare);
      }
    }
  } finally {
    closeSync(target);
  }
}

function makeDirectory(into: Descent, name: ByteName): void {
  try {
    mkdirSync(entryAt(into.fd, name), 0o700);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  into.enter(name);
}

/** Last, because what is made in a directory changes its time. */
function finishDirectory(source: number, target: number, stats: BigIntStats): void {
  writeXattrs(entryAt(target, '.'), readXattrs(entryAt(source, '.')));
  const path = `/proc/self/fd/${target}`;
  chownSync(path, Number(stats.uid), Number(stats.gid));
  chmodSync(path, Number(stats.mode) & 0o7777);
  utimesSync(path, seconds(stats.atimeNs), seconds(stats.mtimeNs));
}

function copyEntry(
  source: number,
  target: number,
  { name, stats }: { name: ByteName; stats: BigIntStats },
  links: Links,
  spare: Spare | undefined,
): void {
  const from = entryAt(source, name);
  const to = entryAt(target, name);
  const key = `${stats.dev}:${stats.ino}`;
  const twin = links.get(key);
  try {
    if (twin !== undefined) {
      linkDescriptor(twin, to);
      return;
    }
    if (stats.isFile()) {
      if (!copyFile(from, to, spare)) return;
    } else if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from, 'buffer'), to);
    else if (stats.isSocket()) return;
    else {
      const { major, minor } = splitDevice(stats.rdev);
      makeNode(to, Number(stats.mode), major, minor);
    }
  } catch (error) {
    // The contents of the volume stay.
    if (errnoOf(error) === 'EEXIST') return;
    throw error;
  }
  if (stats.nlink > 1n && links.size < maxLinks) links.set(key, openSync(to, O_PATH | constants.O_NOFOLLOW));
  lchownSync(to, Number(stats.uid), Number(stats.gid));
  // After the owner, which takes capabilities away.
  writeXattrs(to, readXattrs(from));
  if (!stats.isSymbolicLink()) chmodNoFollow(to, Number(stats.mode) & 0o7777);
  lutimesSync(to, seconds(stats.atimeNs), seconds(stats.mtimeNs));
}

/** @returns false when it is gone, or no longer a file */
function copyFile(from: Buffer, to: Buffer, spare: Spare | undefined): boolean {
  const source = openFile(from);
  if (source === undefined) return false;
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const target = openSync(to, flags, 0o600);
    try {
      copyContent(source, target, spare);
    } finally {
      closeSync(target);
    }
    return true;
  } finally {
    closeSync(source);
  }
}

function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9;
}
