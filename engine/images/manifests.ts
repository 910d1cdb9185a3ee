import type { ImageDescriptor, ImageIdentity, ImageManifestSummary } from '@cleat/protocol/api/image';
import { repositoryOf } from '../content/references.js';
import { mediaType } from '../distribution/manifest.js';
import { describe, manifestOf } from './archive/oci-manifest.js';
import type { Image } from './catalog.js';
import { platformOf } from './config.js';
import type { Context } from './context.js';
import type { TargetManifest, TargetRecord } from './records.js';
import { attestedBy, isImageManifest } from './targets.js';

type Rooms = Pick<Context, 'catalog' | 'layers' | 'sizeOf' | 'usage'>;

/** The target that an image came as; of one that was made here, the manifest as which it would be saved. */
export function descriptorOf(context: Rooms, image: Image, target: TargetRecord | undefined): ImageDescriptor {
  if (target) return shown(target);
  const known = asSaved.get(image);
  if (known) return known;
  const layers = image.config.rootfs.diff_ids
    .map((diffId) => context.layers.get(diffId))
    .filter((layer) => layer !== undefined);
  const described = describe(mediaType.ociManifest, manifestOf(image, layers));
  asSaved.set(image, described);
  return described;
}

/** An image and its layers never change. */
const asSaved = new WeakMap<Image, ImageDescriptor>();

/** The descriptor of the manifest of an image for one platform, in a target. */
export function manifestDescriptorOf(context: Rooms, image: Image, target: TargetRecord | undefined): ImageDescriptor {
  const manifest = target?.manifests.find((each) => each.image === image.id);
  return manifest ? shown(manifest) : descriptorOf(context, image, undefined);
}

/** As OCI's Go types write it. */
function shown({ mediaType: type, digest, size, annotations, platform, artifactType }: TargetManifest | TargetRecord) {
  return {
    mediaType: type,
    digest,
    size,
    ...(annotations && { annotations }),
    ...(platform && { platform }),
    ...(artifactType && { artifactType }),
  };
}

/** `Manifests` of an image: those of its target, whether they are here or not (moby `daemon/containerd/image_list.go`). */
export function manifestsOf(
  context: Rooms,
  image: Image,
  target: TargetRecord | undefined,
  withIdentity = false,
): ImageManifestSummary[] {
  const all: TargetManifest[] = target?.manifests ?? [{ ...descriptorOf(context, image, undefined), image: image.id }];
  return all.map((manifest) => summaryOf(context, manifest, image, withIdentity));
}

function summaryOf(
  context: Rooms,
  manifest: TargetManifest,
  named: Image,
  withIdentity: boolean,
): ImageManifestSummary {
  const image = manifest.image && context.catalog.get(manifest.image);
  const content = image ? contentOf(context, image) : 0;
  const unpacked = image ? context.sizeOf(image) : 0;
  const summary = {
    ID: manifest.digest,
    Descriptor: shown(manifest),
    Available: image !== undefined,
    Size: { Content: content, Total: content + unpacked },
  };
  if (!isImageManifest(manifest)) {
    const attested = attestedBy(manifest);
    return attested === undefined
      ? { ...summary, Kind: 'unknown' }
      : { ...summary, Kind: 'attestation', AttestationData: { For: attested } };
  }
  const identity = withIdentity && image ? identityOf(context, named) : undefined;
  return {
    ...summary,
    Kind: 'image',
    ImageData: {
      Platform: manifest.platform ?? (image ? platformOf(image.config) : { os: '', architecture: '' }),
      ...(identity && { Identity: identity }),
      Size: { Unpacked: unpacked },
      Containers: image ? context.usage(image.id).map(({ containerId }) => containerId) : [],
    },
  };
}

/** Bytes of an image that are kept as they came: its configuration, and layers that are kept as archives. */
function contentOf(context: Rooms, image: Image): number {
  let size = Buffer.byteLength(image.record.raw);
  for (const diffId of image.config.rootfs.diff_ids) {
    const layer = context.layers.get(diffId);
    if (layer && layer.outline === undefined) size += layer.blob.size;
  }
  return size;
}

/**
 * Where an image was pulled from, or pushed to: a digest in a repository is only known from there. Nothing else is known
 * of its origin here.
 */
export function identityOf({ catalog }: Pick<Context, 'catalog'>, image: Image): ImageIdentity | undefined {
  const digests = catalog.references(image.id).filter(({ digest }) => digest !== undefined);
  const repositories = [...new Set(digests.map(repositoryOf))];
  return repositories.length > 0 ? { Pull: repositories.map((Repository) => ({ Repository })) } : undefined;
}

/** Bytes of all layers of these images, each layer once. */
export function sizeOfAll({ layers }: Pick<Context, 'layers'>, images: readonly Image[]): number {
  const diffIds = new Set(images.flatMap(({ config }) => config.rootfs.diff_ids));
  return [...diffIds].reduce((sum, diffId) => sum + (layers.get(diffId)?.size ?? 0), 0);
}
