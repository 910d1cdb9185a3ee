import { invalidParameter } from '@cleat/protocol/errors';
import { decode } from '@cleat/protocol/json';
import Type from '@cleat/protocol/schema';
import type { ArchiveFiles } from '../../content/archive-files.js';
import { type ArchivedImage, maxImages } from './archived-image.js';

const ManifestItem = Type.Object({
  Config: Type.Optional(Type.String()),
  RepoTags: Type.Optional(Type.Array(Type.String())),
  Layers: Type.Optional(Type.Array(Type.String())),
  Parent: Type.Optional(Type.String()),
});

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
  const { Config, RepoTags, Layers, Parent } = decode(ManifestItem, item, 'manifestItem');
  if (!Config) throw invalidParameter('invalid archive: an image in manifest.json has no Config');
  return {
    manifests: [{ raw: await files.text(Config), layers: (Layers ?? []).map((path) => files.get(path)) }],
    names: RepoTags ?? [],
    ...(Parent && { parent: Parent }),
  };
}
