import { invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import type { ArchiveFiles } from '../../content/archive-files.js';
import type { StoredBlob } from '../../content/blobs.js';
import { hostPlatform, type Platform, platformDistance } from '../../content/platform.js';
import { isDigest, parseReference } from '../../content/references.js';
import { type ArchivedImage, maxImages } from './archived-image.js';

const maxDepth = 4;

/**
 * An OCI image layout (image-spec, image-layout.md): `index.json` and `blobs/`. Of an image for several platforms the
 * one for `wanted` is taken.
 * @throws InvalidParameter
 */
export async function ociImages(files: ArchiveFiles, wanted: Platform): Promise<ArchivedImage[]> {
  const index = await files.json('index.json');
  const offers = descriptors(index, 'manifests');
  if (offers.length > maxImages) throw invalidParameter(`the archive lists more than ${maxImages} images`);
  const found: ArchivedImage[] = [];
  const byDigest = new Map<string, ArchivedImage>();
  for (const descriptor of offers) {
    const image = byDigest.get(descriptor.digest) ?? (await imageOf(files, descriptor, wanted, 0));
    if (!image) continue;
    if (!byDigest.has(descriptor.digest)) found.push(image);
    byDigest.set(descriptor.digest, image);
    const name = nameOf(descriptor.annotations);
    if (name !== undefined) image.names.push(name);
  }
  if (found.length === 0) throw invalidParameter('invalid archive: it holds no image for this platform');
  return found;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  annotations: Record<string, unknown>;
  platform: Record<string, unknown> | undefined;
}

function descriptors(value: unknown, key: string): Descriptor[] {
  const list = isRecord(value) ? value[key] : undefined;
  if (!Array.isArray(list)) throw invalidParameter(`invalid archive: an index or manifest has no ${key}`);
  return list.map(descriptor);
}

function descriptor(value: unknown): Descriptor {
  if (!isRecord(value) || typeof value.digest !== 'string' || !isDigest(value.digest)) {
    throw invalidParameter('invalid archive: a descriptor has no SHA-256 digest');
  }
  return {
    mediaType: typeof value.mediaType === 'string' ? value.mediaType : '',
    digest: value.digest,
    annotations: isRecord(value.annotations) ? value.annotations : {},
    platform: isRecord(value.platform) ? value.platform : undefined,
  };
}

const pathOf = (digest: string) => `blobs/sha256/${digest.slice('sha256:'.length)}`;

/** A blob whose name is the truth about its content. */
function blobOf(files: ArchiveFiles, digest: string): StoredBlob {
  const blob = files.get(pathOf(digest));
  if (blob.digest !== digest) throw invalidParameter(`invalid archive: ${pathOf(digest)} does not have that digest`);
  return blob;
}

async function imageOf(
  files: ArchiveFiles,
  item: Descriptor,
  wanted: Platform,
  depth: number,
): Promise<ArchivedImage | undefined> {
  blobOf(files, item.digest);
  const manifest = await files.json(pathOf(item.digest));
  if (isRecord(manifest) && Array.isArray(manifest.manifests)) {
    if (depth >= maxDepth) throw invalidParameter('invalid archive: its indexes are nested too deeply');
    const choice = bestFor(descriptors(manifest, 'manifests'), files, wanted);
    return choice && (await imageOf(files, choice, wanted, depth + 1));
  }
  if (!isRecord(manifest)) throw invalidParameter('invalid archive: a manifest is not a JSON object');
  const config = descriptor(manifest.config);
  blobOf(files, config.digest);
  return {
    raw: await files.text(pathOf(config.digest)),
    layers: descriptors(manifest, 'layers').map((layer) => blobOf(files, layer.digest)),
    names: [],
  };
}

function bestFor(offers: Descriptor[], files: ArchiveFiles, wanted: Platform): Descriptor | undefined {
  let best: { offer: Descriptor; distance: number } | undefined;
  for (const offer of offers) {
    // An archive for one platform lists the others without holding them.
    if (!files.find(pathOf(offer.digest))) continue;
    const { os, architecture, variant } = offer.platform ?? {};
    const platform = {
      os: String(os ?? 'linux'),
      architecture: String(architecture ?? hostPlatform().architecture),
      ...(typeof variant === 'string' && { variant }),
    };
    const distance = platformDistance(wanted, platform);
    if (distance !== undefined && (!best || distance < best.distance)) best = { offer, distance };
  }
  return best?.offer;
}

/** containerd and Docker write the full name; other tools write a tag or a name into the standard annotation. */
function nameOf(annotations: Record<string, unknown>): string | undefined {
  const full = annotations['io.containerd.image.name'];
  if (typeof full === 'string' && hasTag(full)) return full;
  const short = annotations['org.opencontainers.image.ref.name'];
  return typeof short === 'string' && hasTag(short) ? short : undefined;
}

function hasTag(name: string): boolean {
  try {
    return parseReference(name).tag !== undefined;
  } catch {
    // Annotations are free text; what is no name is none.
    return false;
  }
}
