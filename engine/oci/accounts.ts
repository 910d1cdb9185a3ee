import { Root } from '@cleat/linux/rootfs/root';
import { invalidParameter, isClass } from '@cleat/protocol/errors';
import { openedInRoot, readOpened } from './rootfs-files.js';

/**
 * A container's /etc/passwd and /etc/group. They come from an image, and whatever they are, the runtime's init reads
 * them to the end, in a process that nothing bounds: so no container starts, and nothing is executed in one, in which
 * they are not ordinary files of a reasonable size.
 */
export const accountFiles = ['/etc/passwd', '/etc/group'] as const;
const maxBytes = 4 * 1024 * 1024;

/** File systems that a container sees in place of what its root file system has there. */
const alwaysMounted = ['/proc', '/dev', '/sys'];

export const refusedAccounts = (path: string, why: string) =>
  invalidParameter(`${path} of the container's file system cannot be read: ${why}`);

/**
 * Reads the root file system's own file, without what is mounted into it, as Docker reads it; empty when it is not
 * there.
 * @param user who is looked for
 * @throws InvalidParameter
 */
export function readPasswd(rootfs: string, user: string): string {
  return accountsAt(rootfs, '/etc/passwd', `unable to find user ${user}`)?.text ?? '';
}

/** The same of the groups. @param user whose groups are looked for, as the other file calls it */
export function readGroups(rootfs: string, user: string): string {
  return accountsAt(rootfs, '/etc/group', `unable to find groups for spec ${user}`)?.text ?? '';
}

/**
 * @param failed what could not be done, in Docker's words, when it cannot be read
 * @returns undefined when nothing is there, and what it is: not where links lead nowhere, but do in the container
 */
export function accountsAt(rootfs: string, path: string, failed: string): { text: string; real: string } | undefined {
  const found = openedInRoot(rootfs, path, (stats, pathOfFd, real) => {
    if (alwaysMounted.some((place) => isWithin(place, real))) throw refusedAccounts(path, `it leads to ${real}`);
    if (stats.isDirectory()) throw invalidParameter(`${failed}: read ${path}: is a directory`);
    checkAccountFacts(path, { type: stats.isFile() ? 'file' : '', size: stats.size });
    return { text: readOpened(pathOfFd, stats.size), real };
  });
  if (!found && ['/etc', path].some((each) => isLink(rootfs, each))) throw refusedAccounts(path, 'it leads nowhere');
  return found;
}

function isLink(rootfs: string, path: string): boolean {
  using root = new Root(rootfs);
  try {
    return root.lstat(path).type === 'symlink';
  } catch (error) {
    if (isClass(error, 'NotFound') || isClass(error, 'InvalidParameter')) return false;
    throw error;
  }
}

/** @throws InvalidParameter */
export function checkAccountFacts(path: string, { type, size }: { type: string; size: number }): void {
  if (type !== 'file') throw refusedAccounts(path, 'it is not a regular file');
  if (size > maxBytes) throw refusedAccounts(path, `it is larger than ${maxBytes} bytes`);
}

/** By whole names. */
export const isWithin = (place: string, path: string): boolean => path === place || path.startsWith(`${place}/`);
