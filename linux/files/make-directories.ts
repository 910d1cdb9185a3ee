import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../syscall/errno.js';

/**
 * mkdir -p, with the error that the kernel gave: Node's own says ENOENT where a file system is read-only (EROFS) or a
 * quota is used up (EDQUOT).
 * @param mode of each that is made
 * @returns the first that was made, undefined when all were there
 * @throws an error of mkdir(2)
 */
export function makeDirectories(path: string, mode?: number): string | undefined {
  if (made(path, mode)) return path;
  if (isDirectory(path)) return undefined;
  const first = makeDirectories(dirname(path), mode);
  // Another process may have made it meanwhile.
  if (!made(path, mode) && !isDirectory(path)) mkdirSync(path, mode);
  return first ?? path;
}

/** @returns whether it was made; false when it is there, or its parent is not */
function made(path: string, mode: number | undefined): boolean {
  try {
    mkdirSync(path, mode);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST' ? isDirectory(path) : errno === 'ENOENT' && dirname(path) !== path) return false;
    throw error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
