import { statfsSync } from 'node:fs';
import { mountTmpfs, type TmpfsOptions, unmount } from '@cleat/linux/mount/mount';
import { isMountPoint, listMounts } from '@cleat/linux/mount/mountinfo';
import { removeContents, removeTree } from '@cleat/linux/rootfs/remove';
import { systemError } from '@cleat/protocol/errors';

/** Bytes and files of a mounted volume, as its `Status` shows them. */
export interface Usage {
  readonly UsedBytes: number;
  readonly SizeBytes: number;
  /** Files, directories and links, the volume's own directory among them. */
  readonly UsedInodes: number;
  readonly Inodes: number;
}

/** Mounts a tmpfs, unless that is done: the kernel knows, also after a kill. @throws System */
export function ensureMounted(target: string, options: TmpfsOptions): void {
  if (!isMountPoint(target)) mountTmpfs(target, options);
}

/** @throws Error of a system call when it is no longer there */
export function usageOf(target: string): Usage {
  const { bsize, blocks, bfree, files, ffree } = statfsSync(target);
  return {
    UsedBytes: (blocks - bfree) * bsize,
    SizeBytes: blocks * bsize,
    UsedInodes: files - ffree,
    Inodes: files,
  };
}

/**
 * Gives the memory back and deletes a directory that was put aside, with the tmpfs on `data` in it.
 * @throws System when something is mounted there still: then nothing but the tmpfs was touched
 */
export async function discard(directory: string, data: string): Promise<void> {
  // Somebody else's file systems that were mounted within are not ours to empty.
  for (const { target } of listMounts(data).reverse()) if (target !== data) unmount(target);
  // The kernel needs 50 ms to free a GiB. An unmount would do that on the thread which answers all calls; files are
  // deleted in the thread pool. What cannot be deleted, for example because it is immutable, goes with the mount.
  if (isMountPoint(data)) await removeContents(data).catch(() => {});
  for (const { target } of listMounts(directory).reverse()) unmount(target);
  const left = listMounts(directory).map(({ target }) => target);
  if (left.length > 0) throw systemError(`still mounted: ${left.join(', ')}`);
  await removeTree(directory);
}
