import { invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import type { ArchiveFiles } from '../../content/archive-files.js';
import { digestOf, type StoredBlob } from '../../content/blobs.js';
import { isDigest, parseReference } from '../../content/references.js';
import { extrasOf, mediaType } from '../../distribution/manifest.js';
import type { Descriptor } from '../records.js';
import { type FoundTarget, isImageManifest, refuseLargeTarget } from '../targets.js';
import { type ArchivedImage, type ArchivedManifest, maxImages } from './archived-image.js';

const maxDepth = 4;

/**
 * An OCI image layout (image-spec, image-layout.md): `index.json` and `blobs/`. Of an image for several platforms all are
 * taken that the archive holds. Manifests of one name that `index.json` itself lists are its platforms.
 * @throws InvalidParameter
 */
export async function ociImages(files: ArchiveFiles): Promise<ArchivedImage[]> {
  const reader = new LayoutReader(files);
  const found = new Map<string, ArchivedImage>();
  for (const [names, offers] of grouped(await listed(files))) {
    const target = await reader.targetOf(offers);
    const known = found.get(target.digest);
    if (known) known.names.push(...names);
    else {
      const manifests = await reader.imagesOf(target);
      if (manifests.length > 0) found.set(target.digest, { manifests, names, target });
    }
  }
  if (found.size === 0) throw invalidParameter('invalid archive: it holds no image for this platform');
  return [...found.values()];
}

/** Whether a layout lists an image for several platforms: `manifest.json`, which may be beside it, cannot. */
export async function hasIndexes(files: ArchiveFiles): Promise<boolean> {
  const offers = await listed(files);
  if (offers.some(({ mediaType: type }) => type === mediaType.ociIndex || type === mediaType.dockerList)) return true;
  return [...grouped(offers).values()].some((group) => group.length > 1);
}

async function listed(files: ArchiveFiles): Promise<Descriptor[]> {
  const offers = descriptors(await files.json('index.json'), 'manifests');
  if (offers.length > maxImages) throw invalidParameter(`the archive lists more than ${maxImages} images`);
  return offers;
}

/** Puts together the manifests of one name, if each is for a platform. */
function grouped(offers: readonly Descriptor[]): Map<string[], Descriptor[]> {
  const byName = new Map<string, Descriptor[]>();
  const groups = new Map<string[], Descriptor[]>();
  for (const offer of offers) {
    const name = nameOf(offer.annotations ?? {});
    const known = name === undefined || !offer.platform ? undefined : byName.get(name);
    if (known) {
      known.push(offer);
      continue;
    }
    const group = [offer];
    groups.set(name === undefined ? [] : [name], group);
    if (name !== undefined && offer.platform) byName.set(name, group);
  }
  return groups;
}

/** Reads manifests and indexes, each once, however often they are listed. */
class LayoutReader {
  readonly #files: ArchiveFiles;
  readonly #images = new Map<string, ArchivedManifest | undefined>();

  constructor(files: ArchiveFiles) {
    this.#files = files;
  }

  /** Reads these descriptors as one target: a manifest or an index, or several manifests as if an index listed them. */
  async targetOf(offers: readonly Descriptor[]): Promise<FoundTarget> {
    const [only, second] = offers;
    if (only && !second) {
      const manifests = await this.#manifestsOf(only, 0, new Set());
      const own = manifests.find(({ digest }) => digest === only.digest);
      const { size } = this.#files.get(pathOf(only.digest));
      const type = own?.mediaType || only.mediaType || mediaType.ociIndex;
      const target = { ...withoutName(only), mediaType: type, size, manifests };
      refuseLargeTarget(target);
      return target;
    }
    const manifests = offers.map(withoutName);
    const document = JSON.stringify({ schemaVersion: 2, mediaType: mediaType.ociIndex, manifests });
    const target = {
      mediaType: mediaType.ociIndex,
      digest: digestOf(document),
      size: Buffer.byteLength(document),
      manifests,
    };
    refuseLargeTarget(target);
    return target;
  }

  /** The images of a target that the archive holds. */
  async imagesOf({ manifests }: FoundTarget): Promise<ArchivedManifest[]> {
    const images: ArchivedManifest[] = [];
    for (const item of manifests) {
      if (!this.#images.has(item.digest)) this.#images.set(item.digest, await this.#imageOf(item));
      const image = this.#images.get(item.digest);
      if (image && !images.includes(image)) images.push(image);
    }
    return images;
  }

  async #imageOf(item: Descriptor): Promise<ArchivedManifest | undefined> {
    // An archive for one platform lists the others without holding them.
    if (!isImageManifest(item) || !this.#files.find(pathOf(item.digest))) return undefined;
    blobOf(this.#files, item);
    const manifest = await this.#files.json(pathOf(item.digest));
    if (!isRecord(manifest)) throw invalidParameter('invalid archive: a manifest is not a JSON object');
    const config = descriptor(manifest.config);
    blobOf(this.#files, config);
    return {
      raw: await this.#files.text(pathOf(config.digest)),
      layers: descriptors(manifest, 'layers').map((layer) => blobOf(this.#files, layer)),
      digest: item.digest,
    };
  }

  /** The manifests below a descriptor: itself, or all that its index lists, and indexes in it. */
  async #manifestsOf(item: Descriptor, depth: number, seen: Set<string>): Promise<Descriptor[]> {
    if (depth > 0 && !this.#files.find(pathOf(item.digest))) return [item];
    const { size } = blobOf(this.#files, item);
    const document = await this.#files.json(pathOf(item.digest));
    const itself = { ...withoutName(item), size };
    if (!isRecord(document) || !Array.isArray(document.manifests)) {
      const type = isRecord(document) && typeof document.mediaType === 'string' ? document.mediaType : undefined;
      return [{ ...itself, mediaType: itself.mediaType || type || mediaType.ociManifest }];
    }
    if (document.config !== undefined || document.layers !== undefined) {
      // Different tools read it differently (CVE-2021-41190).
      throw invalidParameter('invalid archive: a document is both an index and a manifest');
    }
    if (depth >= maxDepth) throw invalidParameter('invalid archive: its indexes are nested too deeply');
    const below: Descriptor[] = [];
    for (const child of descriptors(document, 'manifests')) {
      if (seen.has(child.digest)) continue;
      seen.add(child.digest);
      if (seen.size > maxImages) throw invalidParameter(`the archive lists more than ${maxImages} images`);
      below.push(...(await this.#manifestsOf(child, depth + 1, seen)));
    }
    return below;
  }
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
  const { size, platform } = value;
  if (size !== undefined && (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)) {
    throw invalidParameter(`invalid archive: the size of ${value.digest} is none`);
  }
  return {
    mediaType: typeof value.mediaType === 'string' ? value.mediaType : '',
    digest: value.digest,
    size: size ?? 0,
    ...(isRecord(platform) && { platform: platformOf(platform) }),
    ...extrasOf(value),
  };
}

function platformOf({ os, architecture, variant }: Record<string, unknown>): NonNullable<Descriptor['platform']> {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    os: text(os),
    architecture: text(architecture),
    ...(text(variant) !== '' && { variant: text(variant) }),
  };
}

const pathOf = (digest: string) => `blobs/sha256/${digest.slice('sha256:'.length)}`;

/** A blob whose name is the truth about its content; what a descriptor says of its size need not be. */
function blobOf(files: ArchiveFiles, { digest }: Pick<Descriptor, 'digest'>): StoredBlob {
  const blob = files.get(pathOf(digest));
  if (blob.digest !== digest) throw invalidParameter(`invalid archive: ${pathOf(digest)} does not have that digest`);
  return blob;
}

const fullName = 'io.containerd.image.name';
const shortName = 'org.opencontainers.image.ref.name';

/** containerd and Docker write the full name; other tools write a tag or a name into the standard annotation. */
function nameOf(annotations: Record<string, string>): string | undefined {
  for (const key of [fullName, shortName]) {
    const name = annotations[key];
    if (name !== undefined && hasTag(name)) return name;
  }
  return undefined;
}

/** Leaves out how a descriptor was called in the archive. */
function withoutName({ annotations, ...rest }: Descriptor): Descriptor {
  const { [fullName]: _, [shortName]: __, ...others } = annotations ?? {};
  return { ...rest, ...(Object.keys(others).length > 0 && { annotations: others }) };
}

function hasTag(name: string): boolean {
  try {
    return parseReference(name).tag !== undefined;
  } catch {
    // Annotations are free text; what is no name is none.
    return false;
  }
}
