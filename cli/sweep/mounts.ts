import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { listMounts, type MountEntry } from '@cleat/linux/mount/mountinfo';
import { removeContents, removeTree } from '@cleat/linux/rootfs/remove';
import type { EngineRoots } from './roots.js';

/** Where in the exec root an engine mounts: bundles, what it looks into, namespaces, and what extensions need. */
const ownInExecRoot = /^(containers|archives|netns|extensions)\/./;
/** An extension's own directory in the data root, as of volumes in memory. */
const ownOfExtension = /^extensions\/[^/]+\/./;
/** A volume of the driver `local`; one without options is a plain directory, on which the engine mounts nothing. */
const localVolume = /^(volumes\/[^/]+)\/_data(?=\/|$)/;

/**
 * Takes away what a dead engine and its extensions mounted in its roots, which are without symlinks. An administrator
 * may have put a disk or a directory there, too: for layers, or on a plain volume.
 * @returns the places of those, which stay
 */
export function unmountOwn(roots: EngineRoots): string[] {
  const own = mountsInside(roots).filter(({ target }) => isOwn(roots, target));
  // The latest first; a namespace file counts as a mount.
  for (const { target } of own.reverse()) unmount(target, { detach: true });
  return mountsInside(roots).map(({ target }) => target);
}

function mountsInside({ dataRoot, execRoot }: EngineRoots): MountEntry[] {
  const inside = (root: string, path: string) => path.startsWith(`${root}/`);
  return listMounts().filter(
    ({ target }) => target !== execRoot && (inside(dataRoot, target) || inside(execRoot, target)),
  );
}

function isOwn({ dataRoot, execRoot }: EngineRoots, target: string): boolean {
  if (target.startsWith(`${execRoot}/`)) return ownInExecRoot.test(relative(execRoot, target));
  const path = relative(dataRoot, target);
  const [, directory] = localVolume.exec(path) ?? [];
  return directory === undefined ? ownOfExtension.test(path) : hasMountOptions(join(dataRoot, directory));
}

/** As the driver writes them, and Docker. */
function hasMountOptions(directory: string): boolean {
  try {
    const options: unknown = JSON.parse(readFileSync(join(directory, 'opts.json'), 'utf8'));
    const { MountType, MountDevice } = (options ?? {}) as Record<string, unknown>;
    return Boolean(MountType || MountDevice);
  } catch {
    // There are none, or they are damaged: then what is mounted there may be anybody's.
    return false;
  }
}

/** Removes a directory, but for the places `kept` and what leads to them. @param isKept leaves itself, empty */
export async function removeAround(directory: string, kept: readonly string[], isKept: boolean): Promise<void> {
  const inside = kept.filter((place) => place.startsWith(`${directory}/`));
  if (inside.length === 0) return await (isKept ? removeContents(directory) : removeTree(directory));
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (!inside.includes(path)) await removeAround(path, inside, false);
  }
}
