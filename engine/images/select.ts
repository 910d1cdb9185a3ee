import { notFound } from '@cleat/protocol/errors';
import { formatPlatform, isForPlatform, type Platform, platformDistance } from '../content/platform.js';
import { familiar, parseReference, repositoryOf } from '../content/references.js';
import type { Found, Image } from './catalog.js';
import { platformOf } from './config.js';
import type { Context } from './context.js';

/**
 * The image of a name or ID, for the platform that is asked for; an ID has one alone. Of several that run there, the
 * one that fits best.
 * @throws NotFound `No such image: X`, or that the image is for another platform; InvalidParameter
 */
export function findFor(context: Pick<Context, 'catalog'>, text: string, wanted: Platform | undefined): Image {
  const found = context.catalog.found(text);
  return wanted ? requirePlatform(context, found, text, wanted) : found.image;
}

/** The same, but only an image that names that very platform: what is removed is not what would do. */
export function findExactly(context: Pick<Context, 'catalog'>, text: string, wanted: Platform): Image {
  return requirePlatform(context, context.catalog.found(text), text, wanted, (offered) => {
    const distance = platformDistance(wanted, offered);
    return distance === 0 || (distance === undefined && isForPlatform(wanted, offered));
  });
}

/** @throws NotFound as moby words it: `daemon/images/image.go` for one platform, `daemon/containerd` for several */
function requirePlatform(
  context: Pick<Context, 'catalog'>,
  found: Found,
  text: string,
  wanted: Platform,
  fits: (offered: Platform) => boolean = (offered) => isForPlatform(wanted, offered),
): Image {
  const all = imagesOf(context, found);
  const image = bestFor(
    all.filter(({ config }) => fits(platformOf(config))),
    wanted,
  );
  if (image) return image;
  const name = shownName(text);
  const asked = formatPlatform(wanted);
  throw notFound(
    all.length > 1
      ? `image with reference ${name} was found but does not provide the specified platform (${asked})`
      : `image with reference ${name} was found but its platform (${formatPlatform(platformOf(found.image.config))}) does not match the specified platform (${asked})`,
  );
}

/** The images that a name stands for; of an ID it is one. */
export function imagesOf({ catalog }: Pick<Context, 'catalog'>, { image, target, byName }: Found): Image[] {
  const present = byName ? catalog.present(target) : [];
  return present.length > 0 ? present : [image];
}

/** The image that fits a platform best, if any runs there. */
export function bestFor(images: readonly Image[], wanted: Platform): Image | undefined {
  let best: { image: Image; distance: number } | undefined;
  for (const image of images) {
    const offered = platformOf(image.config);
    if (!isForPlatform(wanted, offered)) continue;
    const distance = platformDistance(wanted, offered) ?? Number.POSITIVE_INFINITY;
    if (!best || distance < best.distance) best = { image, distance };
  }
  return best?.image;
}

/** A name that was given in full is shown in short, everything else as it was given. */
function shownName(text: string): string {
  try {
    const reference = parseReference(text);
    return text.startsWith(repositoryOf(reference)) ? familiar(reference) : text;
  } catch {
    // An ID is no name.
    return text;
  }
}
