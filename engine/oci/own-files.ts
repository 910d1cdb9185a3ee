import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '@cleat/linux/files/durable';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { invalidParameter } from '@cleat/protocol/errors';

/**
 * The layer that Docker puts between an image and a container's writes (moby `daemon/initlayer`): empty places for what
 * is mounted, so that no change of the container's comes of it; `/.dockerenv`, by which programs know that they are in
 * a container; and `/etc/mtab`, which names the mounts.
 */
const directories = ['dev', 'dev/pts', 'dev/shm', 'etc', 'proc', 'sys'];
const files = ['.dockerenv', 'dev/console', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf'];
const links = [['etc/mtab', '/proc/mounts']] as const;

/** Edition of the lists above: a layer that is there was made of the same ones. */
const edition = 1;

interface Owned {
  mode: number;
  uid: number;
  gid: number;
}

/**
 * The layer of them for an image; made when the first image needs it. Where the image has a directory, the layer's is
 * like it; anything else of that name is hidden. Nothing writes to it, so containers share it, whatever their images,
 * as long as these directories are alike: creating a dozen files costs more than the rest of a container's disk use.
 * @param layers where such layers lie
 * @param image the layers below, the topmost first: looked at without following a link
 * @returns its name in `layers`
 */
export function ownFilesFor(layers: string, image: readonly string[]): string {
  const owned = directories.map((path) => like(directoryOf(image, path)));
  const name = `${edition}-${owned.map(({ mode, uid, gid }) => `${mode.toString(8)}.${uid}.${gid}`).join('-')}`;
  const layer = join(layers, name);
  if (existsSync(layer)) return name;
  const half = `${layer}.new`;
  rmSync(half, { recursive: true, force: true });
  makeLayer(half, owned);
  renameSync(half, layer);
  syncDirectory(layers);
  return name;
}

function like(directory: Stats | undefined): Owned {
  if (!directory) return { mode: 0o755, uid: 0, gid: 0 };
  return { mode: directory.mode & 0o7777, uid: directory.uid, gid: directory.gid };
}

/** The modes are what they are whatever our umask is. On the disk when this returns. */
function makeLayer(layer: string, owned: readonly Owned[]): void {
  makeDirectories(layer);
  chmodSync(layer, 0o755);
  for (const [index, path] of directories.entries()) {
    const { mode, uid, gid } = owned[index] ?? like(undefined);
    mkdirSync(join(layer, path));
    chownSync(join(layer, path), uid, gid);
    chmodSync(join(layer, path), mode);
  }
  for (const path of files) {
    writeFileSync(join(layer, path), '', { flag: 'wx' });
    chmodSync(join(layer, path), 0o755);
  }
  for (const [path, target] of links) symlinkSync(target, join(layer, path));
  for (const path of ['', ...directories]) syncDirectory(join(layer, path));
}

/** The directory that overlayfs shows at a path of the image; undefined when there is none. */
export function directoryOf(image: readonly string[], path: string): Stats | undefined {
  const steps = path.split('/');
  for (const layer of image) {
    for (let at = 1; at <= steps.length; at++) {
      const found = entryOf(join(layer, ...steps.slice(0, at)), path);
      if (!found) break;
      // A file, a link, or the mark of what was deleted: nothing of the layers below is seen there.
      if (!found.isDirectory()) return undefined;
      if (at === steps.length) return found;
    }
  }
  return undefined;
}

/** @param path of the image, for the error */
function entryOf(file: string, path: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (cause) {
    if (errnoOf(cause) === 'ENAMETOOLONG') throw invalidParameter(`lstat /${path}: file name too long`, { cause });
    throw cause;
  }
}
