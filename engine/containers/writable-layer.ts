import { chmodSync, existsSync, lstatSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import type { Roots, UserNamespaces } from '../config.js';
import type { ImageId } from '../ids.js';
import { ownFilesFor } from '../oci/own-files.js';
import { inView, remapOf } from '../oci/remap.js';
import type { ContainerPaths } from './paths.js';
import type { ContainerRecord } from './state/record.js';

/**
 * The layers of a container's root file system: its image's, what every container has, and what it writes itself; the
 * last two are made when they are first needed. The upper one lends its mode to `/` in the container, which everybody
 * there may read, as under Docker; on the host it lies where nobody else gets to.
 */
export function containerLayers(
  context: {
    config: Roots & UserNamespaces;
    paths: ContainerPaths;
    images: { layerPaths(imageId: ImageId): string[] };
  },
  { id, imageId, hostConfig }: Pick<ContainerRecord, 'id' | 'imageId' | 'hostConfig'>,
): { lower: string[]; upper: string; work: string } {
  const { config, paths, images } = context;
  const [own, upper, work] = [paths.ownFiles(id), paths.upper(id), paths.work(id)];
  const image = images.layerPaths(imageId);
  // Regardless of our umask.
  if (makeDirectories(upper) !== undefined) chmodSync(upper, 0o755);
  makeDirectories(work, 0o711);
  // A link of no more than a name: what it leads to is shared. It stays, so that a container keeps its layer.
  if (!existsSync(own)) {
    const shared = paths.sharedOwnFiles();
    const layer = join(shared, ownFilesFor(shared, image));
    removeIfThere(own);
    symlinkSync(relative(dirname(own), layer), own);
  }
  // The kernel takes no directory twice. Of a layer that is listed twice the upper one shows all that the lower would.
  const lower = [own, ...new Set(image)];
  if (!remapOf(config, hostConfig)) return { lower, upper, work };
  const seen = (path: string) => inView(config, path);
  return { lower: lower.map(seen), upper: seen(upper), work: seen(work) };
}

function removeIfThere(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })) unlinkSync(path);
}
