import type { ContainerConfig } from '@cleat/protocol/api/container';
import { emptyConfig } from '@cleat/protocol/api/empty-config';
import type { ImageHistoryItem, ImageInspect } from '@cleat/protocol/api/image';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Platform } from '../content/platform.js';
import { familiar } from '../content/references.js';
import type { ImageId } from '../ids.js';
import { zeroTime } from '../time.js';
import type { Image } from './catalog.js';
import { createdSeconds } from './config.js';
import type { Context } from './context.js';
import { descriptorOf, identityOf, manifestDescriptorOf, manifestsOf } from './manifests.js';
import { findFor } from './select.js';
import { parentOf } from './use.js';

/** The image's configuration with every field that Go's struct always writes, so that clients find what they expect. */
export function fullConfig(config: ContainerConfig | null | undefined): ContainerConfig {
  return { ...emptyConfig, ...config };
}

/** `repository:tag` and `repository@digest` of an image, as users see them. */
export function namesOf(context: Pick<Context, 'catalog'>, id: ImageId): { tags: string[]; digests: string[] } {
  const references = context.catalog.references(id);
  return {
    tags: references.filter((reference) => !reference.digest).map(familiar),
    digests: references.filter((reference) => reference.digest).map(familiar),
  };
}

/** `GET /images/{name}/json` */
export function inspect(
  context: Pick<Context, 'catalog' | 'layers' | 'sizeOf' | 'usage'>,
  text: string,
  platform?: Platform,
  options: { manifests?: boolean } = {},
): ImageInspect {
  const found = context.catalog.found(text);
  const image = platform ? findFor(context, text, platform) : found.image;
  const { config, record } = image;
  // Another platform's image goes by the same names.
  const { tags, digests } = namesOf(context, found.image.id);
  const size = context.sizeOf(image);
  const describe = platform ? manifestDescriptorOf : descriptorOf;
  const identity = identityOf(context, found.image);
  return {
    Id: image.id,
    Descriptor: describe(context, image, found.target),
    ...(options.manifests && { Manifests: manifestsOf(context, found.image, found.target) }),
    ...(identity && { Identity: identity }),
    RepoTags: tags,
    RepoDigests: digests,
    Parent: parentOf(context, image),
    Comment: config.comment ?? config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? zeroTime,
    DockerVersion: config.docker_version ?? '',
    Author: config.author ?? '',
    Config: config.config ?? {},
    Architecture: config.architecture ?? '',
    ...(config.variant !== undefined && { Variant: config.variant }),
    Os: config.os ?? 'linux',
    Size: size,
    GraphDriver: { Name: 'overlay2', Data: graphData(context, image) },
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: record.lastTagged ?? zeroTime },
  };
}

function graphData(context: Pick<Context, 'layers'>, image: Image): Record<string, string> | null {
  const paths = image.config.rootfs.diff_ids
    .map((diffId) => context.layers.get(diffId))
    .filter((record) => record !== undefined)
    .map((record) => context.layers.path(record))
    .reverse();
  const [upper, ...lower] = paths;
  if (upper === undefined) return null;
  return { ...(lower.length > 0 && { LowerDir: lower.join(':') }), UpperDir: upper };
}

/** `GET /images/{name}/history`: newest first; only steps that were made here have an ID. */
export function history(
  context: Pick<Context, 'catalog' | 'layers'>,
  text: string,
  platform?: Platform,
): ImageHistoryItem[] {
  const image = findFor(context, text, platform);
  const { diff_ids: diffIds } = image.config.rootfs;
  let layer = 0;
  const items: ImageHistoryItem[] = [];
  for (const entry of image.config.history ?? []) {
    let size = 0;
    if (!entry.empty_layer) {
      const diffId = diffIds[layer++];
      if (diffId === undefined) throw invalidParameter('too many non-empty layers in History section');
      size = context.layers.get(diffId)?.size ?? 0;
    }
    items.unshift({
      Id: '<missing>',
      Created: createdSeconds(entry.created),
      CreatedBy: entry.created_by ?? '',
      Tags: null,
      Size: size,
      Comment: entry.comment ?? '',
    });
  }
  nameSteps(context, image, items);
  return items;
}

function nameSteps(context: Pick<Context, 'catalog'>, image: Image, items: ImageHistoryItem[]): void {
  let step: Image | undefined = image;
  for (const item of items) {
    if (!step) return;
    const { tags } = namesOf(context, step.id);
    item.Id = step.id;
    item.Tags = tags.length > 0 ? tags : null;
    step = step.record.parent === undefined ? undefined : context.catalog.get(step.record.parent);
  }
}
