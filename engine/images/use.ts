import { dataLoss, invalidParameter, notFound } from '@cleat/protocol/errors';
import { parsePlatform } from '../content/platform.js';
import { familiar, parseReference, refuseReserved, withDefaultTag, withTag } from '../content/references.js';
import { type ImageId, shortId } from '../ids.js';
import type { Image } from './catalog.js';
import { platformOf } from './config.js';
import type { Context } from './context.js';
import { findFor } from './select.js';
import type { ResolvedImage } from './service.js';

/**
 * Finds the image for a new container. @throws NotFound `No such image: …`, or that it is not for the platform: a
 * client pulls it then
 */
export function resolve(context: Pick<Context, 'catalog'>, text: string, platform = ''): ResolvedImage {
  const wanted = platform === '' ? undefined : parsePlatform(platform);
  const image = findFor(context, text, wanted);
  const { os, architecture } = platformOf(image.config);
  const tag = context.catalog.references(image.id).find((reference) => !reference.digest);
  return {
    id: image.id,
    config: image.config.config ?? {},
    os,
    architecture,
    ...(tag && { tag: familiar(tag) }),
  };
}

/**
 * The directories of an image's layers, the top first. Also of an image that was removed by force meanwhile.
 * @throws NotFound, DataLoss when a layer is missing
 */
export function layerPaths(context: Pick<Context, 'catalog' | 'layers'>, id: ImageId): string[] {
  const image = context.catalog.getHeld(id);
  if (!image) throw notFound(`No such image: ${id}`);
  return image.config.rootfs.diff_ids
    .map((diffId) => {
      const layer = context.layers.get(diffId);
      if (!layer) throw dataLoss(`layer ${diffId} of image ${shortId(id)} is missing: pull or load the image again`);
      return context.layers.path(layer);
    })
    .reverse();
}

/** The image that it was made of here, if that is one which is seen: no build record, nor one that is gone; else empty. */
export function parentOf({ catalog }: Pick<Context, 'catalog'>, { record }: Image): string {
  return record.parent !== undefined && catalog.get(record.parent) ? record.parent : '';
}

/** `POST /images/{name}/tag`. @throws NotFound, InvalidParameter, Forbidden */
export function tag(
  context: Pick<Context, 'catalog' | 'publish' | 'together'>,
  text: string,
  repository: string,
  name: string,
): void {
  const { image, target, byName } = context.catalog.found(text);
  const parsed = parseReference(repository);
  if (parsed.digest) throw invalidParameter('refusing to create a tag with a digest reference');
  const reference = withDefaultTag(name === '' ? parsed : withTag(parsed, name));
  refuseReserved(reference);
  // An ID is one image; but that of what a name stands for is the name's.
  const isWhole = byName || !context.catalog.isCompanion(image.id);
  context.together(() => {
    context.publish('tag', image.id, familiar(reference));
    context.catalog.tag(reference, image.id, isWhole ? target : undefined);
  });
}
