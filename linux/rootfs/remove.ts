import { closeSync, constants, fstatSync, opendirSync, openSync, rmdirSync, unlinkSync } from 'node:fs';
import { opendir, readdir, unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { errnoOf } from '../syscall/errno.js';
import { Descent } from './descent.js';
import { type ByteName, entryAt, nameOf } from './names.js';
import { hasVanished, namesIn } from './walk.js';

/** Names that are read of a directory before they are removed: a huge one costs no more memory. */
const batch = 10_000;
/** Files that are removed at once in the thread pool. */
const parallel = 32;
/** Directories that were no longer empty when they should be removed: somebody else is at work there. */
const maxRefusals = 1000;

/** A removal's requests to its driver; `directories` is the answer to `unlink`. */
type Ask = { list: number } | { unlink: ByteName[]; in: number };

/**
 * Removes an entry of an open directory and everything below it, of any depth and size; synchronously, so not in the
 * engine's own process. Missing is fine. No symlink is followed.
 */
export function removeEntry(directoryFd: number, name: ByteName): void {
  const work = removal(directoryFd, name);
  for (let ask = work.next(); !ask.done; ) {
    const { value } = ask;
    ask = work.next('list' in value ? listSync(value.list) : value.unlink.filter((one) => isDirectory(value.in, one)));
  }
}

/** As {@link removeEntry} of a path, in the thread pool. What leads to it must be ours alone. */
export async function removeTree(path: string): Promise<void> {
  const parent = openIfThere(dirname(path));
  if (parent === undefined) return;
  try {
    await removeInPool(parent, nameOf(basename(path)));
  } finally {
    closeSync(parent);
  }
}

/** Removes what is in a directory, as far as it can be. @throws the first failure, after having tried everything */
export async function removeContents(path: string): Promise<void> {
  const directory = openIfThere(path);
  if (directory === undefined) return;
  try {
    const failures: unknown[] = [];
    for (const name of namesIn(directory)) {
      await removeInPool(directory, name).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  } finally {
    closeSync(directory);
  }
}

/** As {@link removeTree}, synchronously: for what is known to be small. */
export function removeTreeSync(path: string): void {
  const parent = openIfThere(dirname(path));
  if (parent === undefined) return;
  try {
    removeEntry(parent, nameOf(basename(path)));
  } finally {
    closeSync(parent);
  }
}

function openIfThere(directory: string): number | undefined {
  try {
    return openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function removeInPool(directoryFd: number, name: ByteName): Promise<void> {
  const work = removal(directoryFd, name);
  for (let ask = work.next(); !ask.done; ) {
    const { value } = ask;
    ask = work.next('list' in value ? await list(value.list) : await directoriesLeft(value.unlink, value.in));
  }
}

/** The order of work; files are unlinked in portions, and what proves to be a directory is entered. */
function* removal(directoryFd: number, name: ByteName): Generator<Ask, void, ByteName[]> {
  using descent = new Descent(directoryFd);
  /** The way down: where we came from, and which directories there are still to be removed. */
  const above: { name: ByteName; directories: ByteName[]; isListed: boolean }[] = [];
  let directories = yield { unlink: [name], in: directoryFd };
  /** Whether all that is here is known. */
  let isListed = true;
  for (let refusals = 0; ; ) {
    const next = directories.pop();
    if (next !== undefined) {
      if (!entered(descent, next)) {
        directories.push(...(yield { unlink: [next], in: descent.fd }));
        continue;
      }
      above.push({ name: next, directories, isListed });
      [directories, isListed] = [[], false];
    }
    const from = above.at(-1);
    if (!from) return;
    if (!isListed) {
      const names = yield { list: descent.fd };
      isListed = names.length < batch;
      directories = yield { unlink: names, in: descent.fd };
      continue;
    }
    descent.leave();
    above.pop();
    ({ directories, isListed } = from);
    if (removedDirectory(descent.fd, from.name, refusals > maxRefusals)) continue;
    // Somebody put something into it meanwhile.
    refusals++;
    directories.push(from.name);
  }
}

/** @returns false when it is no longer a directory */
function entered(descent: Descent, name: ByteName): boolean {
  try {
    descent.enter(name);
    return true;
  } catch (error) {
    if (hasVanished(error)) return false;
    throw error;
  }
}

/** @returns false when it is not empty @throws ENOTEMPTY too when `mustBe` */
function removedDirectory(directoryFd: number, name: ByteName, mustBe: boolean): boolean {
  try {
    rmdirSync(entryAt(directoryFd, name));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return true;
    if (errnoOf(error) === 'ENOTEMPTY' && !mustBe) return false;
    throw error;
  }
}

/** Tries to unlink. @returns whether it is a directory, which is left */
function isDirectory(directoryFd: number, name: ByteName): boolean {
  try {
    unlinkSync(entryAt(directoryFd, name));
    return false;
  } catch (error) {
    return isLeftDirectory(error);
  }
}

function isLeftDirectory(error: unknown): boolean {
  if (errnoOf(error) === 'EISDIR') return true;
  if (errnoOf(error) === 'ENOENT') return false;
  throw error;
}

async function directoriesLeft(names: ByteName[], directoryFd: number): Promise<ByteName[]> {
  const left: ByteName[] = [];
  for (let at = 0; at < names.length; at += parallel) {
    const unlinked = names.slice(at, at + parallel).map(async (name) => {
      try {
        await unlink(entryAt(directoryFd, name));
      } catch (error) {
        if (isLeftDirectory(error)) left.push(name);
      }
    });
    // All of them: none may still use the descriptor when the first failure is told.
    for (const outcome of await Promise.allSettled(unlinked)) if (outcome.status === 'rejected') throw outcome.reason;
  }
  return left;
}

/** Bytes of a directory of a few thousand names; on ZFS, names. */
const smallDirectory = 128 * 1024;

const listing = { encoding: 'latin1', bufferSize: 1000 } as const;

function listSync(directoryFd: number): ByteName[] {
  const directory = opendirSync(`/proc/self/fd/${directoryFd}`, listing);
  try {
    const names: ByteName[] = [];
    for (let entry = directory.readSync(); entry && names.length < batch; entry = directory.readSync()) {
      names.push(entry.name as ByteName);
    }
    return names;
  } finally {
    directory.closeSync();
  }
}

async function list(directoryFd: number): Promise<ByteName[]> {
  const path = `/proc/self/fd/${directoryFd}`;
  // Most are small: one hop to the thread pool.
  if (fstatSync(directoryFd).size <= smallDirectory) return (await readdir(path, listing.encoding)) as ByteName[];
  const names: ByteName[] = [];
  // Leaving the loop closes it.
  for await (const entry of await opendir(path, listing)) {
    names.push(entry.name as ByteName);
    if (names.length >= batch) break;
  }
  return names;
}

/** Whether nothing is in a directory. Reads no further than the first name: there may be a million. */
export function isEmpty(path: string): boolean {
  const directory = opendirSync(path, { encoding: 'latin1', bufferSize: 1 });
  try {
    return directory.readSync() === null;
  } finally {
    directory.closeSync();
  }
}
