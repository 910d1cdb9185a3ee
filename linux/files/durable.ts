import {
  closeSync,
  fchmodSync,
  fdatasync,
  fdatasyncSync,
  fsync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { syncFileSystem } from '../syscall/files.js';
import { makeDirectories } from './make-directories.js';

/**
 * Files that must outlive a power cut are written here. A rename alone is not enough: the name may reach the disk
 * before the content does (an empty file), or not at all.
 */

export interface DurableFileOptions {
  /** Permissions of the file; 0600 when absent. */
  mode?: number;
}

/**
 * Writes a whole file, or nothing: aside, flushed, renamed into place, and its directory flushed. When it returns, the
 * new content is on disk; a kill or a power cut at any moment leaves the old content or the new.
 */
export function writeFileDurably(path: string, content: string | Uint8Array, options: DurableFileOptions = {}): void {
  const draft = `${path}.new`;
  try {
    const file = openSync(draft, 'w', options.mode ?? 0o600);
    try {
      // Regardless of the umask, and even if a draft was left there.
      fchmodSync(file, options.mode ?? 0o600);
      writeFileSync(file, content);
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Flushes the names in a directory: what was made, renamed or removed in it is so after a power cut. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** As {@link syncDirectory}, without holding up the event loop. */
export async function syncDirectoryLater(path: string): Promise<void> {
  const directory = openSync(path, 'r');
  try {
    await promisify(fsync)(directory);
  } finally {
    closeSync(directory);
  }
}

/** fdatasync(2) of an open file, without holding up the event loop. */
export const syncFile: (file: number) => Promise<void> = promisify(fdatasync);

/** Flushes a file by its name, without holding up the event loop. */
export async function syncPath(path: string): Promise<void> {
  const file = openSync(path, 'r');
  try {
    await syncFile(file);
  } finally {
    closeSync(file);
  }
}

/** Makes a directory with its parents; those that are new are there after a power cut, too. */
export function makeDirectoryDurably(path: string, mode = 0o700): void {
  // The first that was made; everything below it is new as well.
  const first = makeDirectories(path, mode);
  if (first === undefined) return;
  const top = dirname(first);
  for (let at = path; at.length >= top.length; at = dirname(at)) {
    syncDirectory(at);
    if (at === dirname(at)) break;
  }
}

/** Flushes the whole file system that `path` is on: for trees of many files. */
export async function syncTree(path: string): Promise<void> {
  const directory = openSync(path, 'r');
  try {
    await syncFileSystem(directory);
  } finally {
    closeSync(directory);
  }
}
