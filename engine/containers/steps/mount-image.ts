import { mkdirSync } from 'node:fs';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { HeldPath } from '@cleat/linux/helper/held-path';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import { inView } from '../../oci/remap.js';
import type { Context } from '../context.js';
import type { ImageMount } from '../state/record.js';

/**
 * Mounts an image, for reading only, or what is meant inside it.
 * @param isRemapped its files have the owners that a remapped container is to see
 * @param at where nobody but the engine gets to: it does not exist yet, its directory does
 * @throws in the words of moby's safepath
 */
export async function mountImage(
  context: Pick<Context, 'config' | 'helper' | 'images' | 'paths'>,
  { imageId, source, subpath }: ImageMount,
  at: string,
  isRemapped: boolean,
  signal?: AbortSignal,
): Promise<HeldPath> {
  mkdirSync(at, { mode: 0o700 });
  const whole = HeldPath.mounted(at);
  try {
    mountOverlay({ lower: layersOf(context, imageId, isRemapped), target: at });
  } catch (error) {
    whole[Symbol.dispose]();
    throw error;
  }
  if (subpath === undefined) return whole;
  try {
    // A link in an image may lead anywhere: it is followed inside only.
    const request = { path: at, within: subpath, at: `${at}-subpath`, shown: source };
    return await HeldPath.hold(context.helper, request, () => {}, { signal });
  } finally {
    whole[Symbol.dispose]();
  }
}

/** The kernel takes no directory twice, and two at least: below all others an empty one shows nothing. */
function layersOf(
  { config, images, paths }: Pick<Context, 'config' | 'images' | 'paths'>,
  imageId: ImageMount['imageId'],
  isRemapped: boolean,
): readonly string[] {
  const layers = [...new Set(images.layerPaths(imageId))];
  const empty = [paths.empty(), ...(layers.length === 0 ? [`${paths.empty()}-too`] : [])];
  for (const directory of empty) makeDirectories(directory, 0o755);
  return [...(isRemapped ? layers.map((layer) => inView(config, layer)) : layers), ...empty];
}
