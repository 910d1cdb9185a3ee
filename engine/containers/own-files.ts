import { chmodSync, chownSync, lstatSync, mkdirSync, type Stats, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What Docker puts between an image and what a container writes (moby `daemon/initlayer`): empty places for what is
 * mounted, so that no change of the container's comes of it; `/.dockerenv`, by which programs know that they are in a
 * container; and `/etc/mtab`, which names the mounts.
 */
const directories = ['dev', 'dev/pts', 'dev/shm', 'etc', 'proc', 'sys'];
const files = ['.dockerenv', 'dev/console', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf'];
const links = [['etc/mtab', '/proc/mounts']] as const;

/**
 * Makes a layer of them. Where the image has a directory, the layer's is like it; anything else of that name is hidden.
 * @param image the layers below, the topmost first: looked at without following a link
 */
export function makeOwnFiles(layer: string, image: readonly string[]): void {
  mkdirSync(layer);
  chmodSync(layer, 0o755);
  for (const path of directories) {
    const target = join(layer, path);
    const { mode, uid, gid } = directoryOf(image, path) ?? { mode: 0o755, uid: 0, gid: 0 };
    mkdirSync(target);
    chownSync(target, uid, gid);
    chmodSync(target, mode & 0o7777);
  }
  for (const path of files) {
    writeFileSync(join(layer, path), '', { flag: 'wx' });
    chmodSync(join(layer, path), 0o755);
  }
  for (const [path, target] of links) symlinkSync(target, join(layer, path));
}

/** The directory that overlayfs shows at a path of the image; undefined when there is none. */
export function directoryOf(image: readonly string[], path: string): Stats | undefined {
  const steps = path.split('/');
  for (const layer of image) {
    for (let at = 1; at <= steps.length; at++) {
      const found = lstatSync(join(layer, ...steps.slice(0, at)), { throwIfNoEntry: false });
      if (!found) break;
      // A file, a link, or the mark of what was deleted: nothing of the layers below is seen there.
      if (!found.isDirectory()) return undefined;
      if (at === steps.length) return found;
    }
  }
  return undefined;
}
