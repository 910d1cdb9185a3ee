import { constants, existsSync, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { getXattr } from '@cleat/linux/syscall/files';
import type { Container } from '../container.js';
import type { Room } from '../room.js';

/** 0 modified, 1 added, 2 deleted: as in `GET /containers/{id}/changes`. */
export type ChangeKind = 0 | 1 | 2;
export interface Change {
  Path: string;
  Kind: ChangeKind;
}

/**
 * Empty mount points that the runtime had to make in the root file system of a container that has no layer for them
 * (`own-files.ts`), for it was made before there were any: `diff` and `commit` never show them.
 */
export const mountPoints: ReadonlySet<string> = new Set([
  '/.dockerenv',
  '/dev',
  '/dev/console',
  '/dev/mqueue',
  '/dev/pts',
  '/dev/shm',
  '/etc/hostname',
  '/etc/hosts',
  '/etc/mtab',
  '/etc/resolv.conf',
  '/proc',
  '/sys',
]);

/** What a container changed, from overlayfs' upper directory; sorted by path. */
export async function containerChanges(room: Room, container: Container): Promise<Change[]> {
  const upper = room.paths.upper(container.id);
  const changes: Change[] = [];
  let root: FileHandle;
  try {
    root = await openDirectory(upper);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return changes;
    throw error;
  }
  const own = room.paths.ownFiles(container.id);
  const image = room.images.layerPaths(container.record.imageId);
  await walk(root, '/', existsSync(own) ? [own, ...image] : image, changes);
  return changes.sort((a, b) => (a.Path < b.Path ? -1 : 1));
}

/** A directory itself, never what a symlink in its place leads to: the container may be swapping them just now. */
function openDirectory(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

/**
 * Walks one directory of the upper, by its descriptor.
 * @param lowers the directories of the layers that are merged at this path, top first
 * @returns whether anything at or below it changed
 */
async function walk(
  directory: FileHandle,
  path: string,
  lowers: readonly string[],
  changes: Change[],
): Promise<boolean> {
  let changed = false;
  try {
    const here = `/proc/self/fd/${directory.fd}`;
    for (const name of await readdir(here)) {
      const child = join(path, name);
      if (await visit(join(here, name), name, child, lowers, changes)) changed = true;
    }
  } finally {
    await directory.close();
  }
  return changed;
}

async function visit(
  actual: string,
  name: string,
  path: string,
  lowers: readonly string[],
  changes: Change[],
): Promise<boolean> {
  const stats = await lstat(actual).catch(() => undefined);
  // Gone since readdir: the container runs on while we look.
  if (!stats) return false;
  const below = await beneath(lowers, name);
  if (isWhiteout(stats)) {
    if (!below.found) return false;
    changes.push({ Path: path, Kind: 2 });
    return true;
  }
  if (!stats.isDirectory()) {
    if (isMountPoint(path, stats)) return false;
    changes.push({ Path: path, Kind: below.found ? 0 : 1 });
    return true;
  }
  const handle = await openDirectory(actual).catch(() => undefined);
  if (!handle) return false;
  const opaque = isOpaque(`/proc/self/fd/${handle.fd}/.`);
  const inside = await walk(handle, path, opaque ? [] : below.directories, changes);
  const touched = below.found ? opaque || !sameDirectory(stats, below.found) : !madeForMounts(path);
  if (!inside && !touched) return false;
  changes.push({ Path: path, Kind: below.found ? 0 : 1 });
  return true;
}

/** An empty file that the runtime made to mount something over it. */
function isMountPoint(path: string, stats: Stats): boolean {
  return mountPoints.has(path) && stats.size === 0;
}

/** A directory that only had to be there because mount points are in it, when the image lacks it. */
function madeForMounts(path: string): boolean {
  return mountPoints.has(path) || [...mountPoints].some((point) => point.startsWith(`${path}/`));
}

/** What the layers have under `name`: the topmost entry, and the directories that are merged there. */
async function beneath(
  lowers: readonly string[],
  name: string,
): Promise<{ found: Stats | undefined; directories: string[] }> {
  let found: Stats | undefined;
  const directories: string[] = [];
  for (const lower of lowers) {
    const path = join(lower, name);
    const stats = await lstat(path).catch(() => undefined);
    if (!stats) continue;
    if (isWhiteout(stats)) break;
    found ??= stats;
    if (!stats.isDirectory()) break;
    directories.push(path);
    if (isOpaque(path)) break;
  }
  return { found, directories };
}

export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

export function isOpaque(path: string): boolean {
  try {
    return getXattr(path, 'trusted.overlay.opaque').toString() === 'y';
  } catch {
    // No such attribute.
    return false;
  }
}

/** A directory is copied up as soon as something in it changes; by itself that is no change of its own. */
function sameDirectory(a: Stats, b: Stats): boolean {
  return b.isDirectory() && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}
