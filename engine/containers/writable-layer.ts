import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { makeOwnFiles } from './own-files.js';
import type { ContainerPaths } from './paths.js';
import type { ContainerRecord } from './record.js';

/**
 * The layers of a container's root file system: its image's, what every container has, and what it writes itself; the
 * last two are made when they are first needed. The upper one lends its mode to `/` in the container, which everybody
 * there may read, as under Docker; on the host it lies where nobody else gets to.
 */
export function containerLayers(
  room: { paths: ContainerPaths; images: { layerPaths(imageId: string): string[] } },
  { id, imageId }: Pick<ContainerRecord, 'id' | 'imageId'>,
): { lower: string[]; upper: string; work: string } {
  const { paths, images } = room;
  const [own, upper, work] = [paths.ownFiles(id), paths.upper(id), paths.work(id)];
  const image = images.layerPaths(imageId);
  // Whatever our umask is.
  if (mkdirSync(upper, { recursive: true }) !== undefined) chmodSync(upper, 0o755);
  mkdirSync(work, { recursive: true, mode: 0o711 });
  if (!existsSync(own)) {
    const half = `${own}.new`;
    rmSync(half, { recursive: true, force: true });
    makeOwnFiles(half, image);
    renameSync(half, own);
  }
  return { lower: [own, ...image], upper, work };
}
