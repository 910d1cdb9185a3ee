import { existsSync, realpathSync } from 'node:fs';
import type { Change } from '@cleat/linux/rootfs/changes';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';

/** How long a walk of all that a container wrote may take, on a disk of our own. */
const walkMs = 10 * 60_000;

/**
 * Empty mount points that the runtime had to make in the root file system of a container that has no layer for them
 * (`engine/oci/own-files.ts`), for it was made before there were any: `diff` and `commit` never show them.
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

/** Changes of a container, from overlayfs' upper directory; sorted by path. A helper walks it: it may be huge. */
export async function containerChanges(
  context: Pick<Context, 'helper' | 'images' | 'paths'>,
  container: Container,
): Promise<Change[]> {
  const own = context.paths.ownFiles(container.id);
  const isLayered = existsSync(own);
  const image = context.images.layerPaths(container.record.imageId);
  const { changes } = await context.helper.call(
    'changes',
    {
      upper: context.paths.upper(container.id),
      lowers: isLayered ? [realpathSync(own), ...image] : image,
      mountPoints: isLayered ? [] : [...mountPoints],
    },
    { deadlineMs: walkMs },
  );
  return changes;
}
