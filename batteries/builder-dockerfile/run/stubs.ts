import { closeSync, constants, lstatSync, rmdirSync, unlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { nameOf } from '@cleat/linux/rootfs/names';
import { Root } from '@cleat/linux/rootfs/root';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { isClass } from '@cleat/protocol/errors';

/** Mount points that were not there before: a runtime makes them in the container's own files. */
export function stubsOf(targets: readonly string[], below: Root | undefined): string[] {
  const missing = new Set<string>();
  for (const target of targets) {
    for (let path = target; path !== '/' && !exists(below, path); path = posix.dirname(path)) missing.add(path);
  }
  // The deepest go first.
  return [...missing].sort((a, b) => b.length - a.length);
}

/**
 * Takes empty files and directories away that are there only because something was mounted on them.
 * @param upper the container's own files, while nothing runs in it
 */
export function removeStubs(upper: string, stubs: readonly string[]): void {
  if (stubs.length === 0) return;
  using root = new Root(upper);
  for (const stub of stubs) {
    try {
      const directory = root.open(posix.dirname(stub), constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        const name = nameOf(posix.basename(stub));
        const at = Buffer.from(`/proc/self/fd/${directory}/${name}`, 'latin1');
        const stats = lstatSync(at);
        if (stats.isDirectory()) rmdirSync(at);
        else if (stats.isFile() && stats.size === 0) unlinkSync(at);
      } finally {
        closeSync(directory);
      }
    } catch (error) {
      // It has been filled meanwhile, or was never made: then it stays as it is.
      const isKept = ['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
      if (!isKept && !isClass(error, 'NotFound') && !isClass(error, 'InvalidParameter')) throw error;
    }
  }
}

function exists(root: Root | undefined, path: string): boolean {
  if (!root) return false;
  try {
    root.lstat(path);
    return true;
  } catch (error) {
    if (isClass(error, 'NotFound') || isClass(error, 'InvalidParameter')) return false;
    throw error;
  }
}
