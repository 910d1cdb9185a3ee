import { join, relative } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { mountIdmapped } from '@cleat/linux/mount/idmapped';
import { unmount } from '@cleat/linux/mount/mount';
import { type IdMaps, type IdRange, outsideId } from '@cleat/linux/process/user-namespace';
import type { HostConfig } from '@cleat/protocol/api/host-config';
import type { Roots, UserNamespaces } from '../config.js';

/**
 * User namespaces of containers (`--userns-remap`).
 *
 * On the disk every file has the owner that its image says: layers, and what containers write, are the same with and
 * without a remap, and so a layer's archive, a commit and `docker diff` are too. Containers see them through one mount of
 * the data root that shows other owners (the *view*): root file systems are stacked from paths below it.
 */
export function remapOf(config: UserNamespaces, { UsernsMode }: Pick<HostConfig, 'UsernsMode'>): IdMaps | undefined {
  return UsernsMode === 'host' ? undefined : config.remap;
}

export const viewOf = ({ execRoot }: Pick<Roots, 'execRoot'>): string => join(execRoot, 'remapped');

/** A path below the data root as remapped containers are to see it. */
export function inView(roots: Roots, path: string): string {
  const inside = relative(roots.dataRoot, path);
  if (inside.startsWith('..')) throw new TypeError(`${path} is not below ${roots.dataRoot}`);
  return join(viewOf(roots), inside);
}

/**
 * The kernel does some work on an overlay's layers as root of the host, which must be somebody there: an ID that no image
 * uses. It owns what nobody sees, such as the marks of removed files.
 */
const kernelsOwn = 4_294_967_294;

/**
 * Mounts the view. It replaces a view that an earlier engine left; root file systems that were stacked from that stay.
 * @throws CleatError NotImplemented when the data root's file system cannot show other owners
 */
export async function openView(roots: Roots, { users, groups }: IdMaps): Promise<{ close(): void }> {
  const view = viewOf(roots);
  unmount(view);
  makeDirectories(view, 0o711);
  const seen = (ranges: readonly IdRange[]) => [
    ...ranges.map(({ inside, outside, count }) => ({ stored: inside, seen: outside, count })),
    { stored: kernelsOwn, seen: 0, count: 1 },
  ];
  await mountIdmapped(roots.dataRoot, view, { users: seen(users), groups: seen(groups) });
  return { close: () => unmount(view) };
}

/** A user of a container as the host knows them. @throws InvalidParameter for one that it does not have */
export const ownerOnHost = (remap: IdMaps | undefined, { uid, gid }: { uid: number; gid: number }) =>
  remap ? { uid: outsideId(remap.users, uid), gid: outsideId(remap.groups, gid) } : { uid, gid };

/** The container's root as the host knows it. */
export const rootOwner = (remap: IdMaps | undefined): { uid: number; gid: number } =>
  ownerOnHost(remap, { uid: 0, gid: 0 });
