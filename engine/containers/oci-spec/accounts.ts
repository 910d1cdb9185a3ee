import { posix } from 'node:path';
import { Root } from '@cleat/linux/rootfs/root';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { invalidParameter, isClass } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import { rootOf } from '../root-of.js';
import type { ContainerRecord, MountRecord } from '../state/record.js';
import { type BindSource, pathOf } from './mounts.js';
import { openedInRoot, readOpened } from './rootfs-files.js';

/**
 * A container's /etc/passwd and /etc/group. They come from an image, and whatever they are, the runtime's init reads
 * them to the end, in a process that nothing bounds: so no container starts, and nothing is executed in one, in which
 * they are not ordinary files of a reasonable size.
 */
const files = ['/etc/passwd', '/etc/group'] as const;
const maxBytes = 4 * 1024 * 1024;

/** File systems that a container sees in place of what its root file system has there. */
const alwaysMounted = ['/proc', '/dev', '/sys'];

const refused = (path: string, why: string) =>
  invalidParameter(`${path} of the container's file system cannot be read: ${why}`);

/**
 * Reads the root file system's own file, without what is mounted into it, as Docker reads it; empty when it is not
 * there.
 * @param user who is looked for
 * @throws InvalidParameter
 */
export function readPasswd(rootfs: string, user: string): string {
  return lookAt(rootfs, '/etc/passwd', `unable to find user ${user}`)?.text ?? '';
}

/** The same of the groups. @param user whose groups are looked for, as the other file calls it */
export function readGroups(rootfs: string, user: string): string {
  return lookAt(rootfs, '/etc/group', `unable to find groups for spec ${user}`)?.text ?? '';
}

/**
 * @param failed what could not be done, in Docker's words, when it cannot be read
 * @returns undefined when nothing is there, and what it is: not where links lead nowhere, but do in the container
 */
function lookAt(rootfs: string, path: string, failed: string): { text: string; real: string } | undefined {
  const found = openedInRoot(rootfs, path, (stats, pathOfFd, real) => {
    if (alwaysMounted.some((place) => isWithin(place, real))) throw refused(path, `it leads to ${real}`);
    if (stats.isDirectory()) throw invalidParameter(`${failed}: read ${path}: is a directory`);
    checkFacts(path, { type: stats.isFile() ? 'file' : '', size: stats.size });
    return { text: readOpened(pathOfFd, stats.size), real };
  });
  if (!found && ['/etc', path].some((each) => isLink(rootfs, each))) throw refused(path, 'it leads nowhere');
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

/**
 * Where something is mounted over them, the runtime reads that: before a start, helpers look into what will be mounted.
 * @throws InvalidParameter
 */
export async function checkMountedAccounts(
  context: Pick<Context, 'helper'>,
  record: ContainerRecord,
  rootfs: string,
  sources: ReadonlyMap<string, BindSource>,
): Promise<void> {
  for (const { path, real, mount } of mountedOver(record, rootfs)) {
    const source = pathOf(sources.get(mount.destination), mount);
    await checkInMount(context, path, source, posix.relative(mount.destination, real));
  }
}

/** The same of one that runs, whose files are seen as it sees them. @throws InvalidParameter */
export async function checkAccountsInside(
  context: Pick<Context, 'helper'>,
  record: ContainerRecord,
  rootfs: string,
): Promise<void> {
  for (const { path } of mountedOver(record, rootfs)) {
    await unlessMissing(async () => {
      const root = rootOf(record);
      checkFacts(path, await context.helper.call('statInRoot', { root, path, follow: true }));
    });
  }
}

function mountedOver(record: ContainerRecord, rootfs: string): { path: string; real: string; mount: MountRecord }[] {
  const mounts = record.mounts.filter(({ type }) => type !== 'tmpfs');
  if (mounts.length === 0) return [];
  return files.flatMap((path) => {
    const real = lookAt(rootfs, path, 'unable to find user 0')?.real ?? path;
    const [mount] = mounts
      .filter(({ destination }) => isWithin(destination, real))
      .sort((a, b) => b.destination.length - a.destination.length);
    return mount ? [{ path, real, mount }] : [];
  });
}

/** No step may be a link: in the container it could lead anywhere. */
async function checkInMount(
  context: Pick<Context, 'helper'>,
  path: string,
  source: string,
  inside: string,
): Promise<void> {
  const steps = inside.split('/').filter(Boolean);
  await unlessMissing(async () => {
    let facts = await context.helper.call('stat', { path: source, follow: true });
    for (let at = 1; at <= steps.length; at++) {
      facts = await context.helper.call('statInRoot', { root: source, path: `/${steps.slice(0, at).join('/')}` });
      if (facts.type === 'symlink') throw refused(path, 'what is mounted there has a link in its place');
    }
    checkFacts(path, facts);
  });
}

function checkFacts(path: string, { type, size }: { type: string; size: number }): void {
  if (type !== 'file') throw refused(path, 'it is not a regular file');
  if (size > maxBytes) throw refused(path, `it is larger than ${maxBytes} bytes`);
}

async function unlessMissing(look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error) {
    if (!isClass(error, 'NotFound') && errnoOf(error) !== 'ENOTDIR') throw error;
  }
}

const isWithin = (place: string, path: string): boolean => path === place || path.startsWith(`${place}/`);
