import { invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import type { ArchivedImage } from './load.js';
import { type ArchiveFiles, maxImages } from './outer.js';

/**
 * `manifest.json` of `docker save`: a list of `{Config, RepoTags, Layers, Parent}` with paths inside the archive.
 * @throws InvalidParameter
 */
export async function dockerImages(files: ArchiveFiles): Promise<ArchivedImage[]> {
  const manifest = await files.json('manifest.json');
  if (manifest === null) throw invalidParameter('invalid manifest, manifest cannot be null (but can be [])');
  if (!Array.isArray(manifest)) throw invalidParameter('invalid archive: failed to decode manifest.json');
  if (manifest.length > maxImages) throw invalidParameter(`the archive lists more than ${maxImages} images`);
  const images: ArchivedImage[] = [];
  for (const item of manifest) images.push(await dockerImage(files, item));
  return images;
}

async function dockerImage(files: ArchiveFiles, item: unknown): Promise<ArchivedImage> {
  if (!isRecord(item) || typeof item.Config !== 'string') {
    throw invalidParameter('invalid archive: an image in manifest.json has no Config');
  }
  return {
    raw: await files.text(item.Config),
    layers: strings(item.Layers).map((path) => files.get(path)),
    names: strings(item.RepoTags),
    ...(typeof item.Parent === 'string' && item.Parent !== '' && { parent: item.Parent }),
  };
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}
