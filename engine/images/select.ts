import { invalidParameter, notFound } from '@cleat/protocol/errors';
import { formatPlatform, isForPlatform, type Platform } from '../content/platform.js';
import { familiar, parseReference, repositoryOf } from '../content/references.js';
import type { Image } from './catalog.js';
import type { ImageConfig } from './config.js';
import type { Context } from './context.js';

/** The platform that an image names. */
export function platformOf({ os = 'linux', architecture = '', variant }: ImageConfig): Platform {
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

/**
 * The image of a name or ID, for the platform that is asked for. A name has one image here, so a selector never chooses
 * among several: it lets the image pass, or nothing is done.
 * @throws NotFound `No such image: X`, or that the image is for another platform; InvalidParameter
 */
export function findFor(context: Pick<Context, 'catalog'>, text: string, wanted: Platform | undefined): Image {
  const image = context.catalog.find(text);
  if (wanted) requirePlatform(image, text, wanted);
  return image;
}

/** @throws NotFound as moby `daemon/images/image.go` words it */
export function requirePlatform(image: Image, text: string, wanted: Platform): void {
  const offered = platformOf(image.config);
  if (isForPlatform(wanted, offered)) return;
  throw notFound(
    `image with reference ${shownName(text)} was found but its platform (${formatPlatform(offered)}) does not match the specified platform (${formatPlatform(wanted)})`,
  );
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

/** The one platform of a list. @throws InvalidParameter for several: each name has one image here */
export function onlyPlatform(platforms: readonly Platform[] | undefined): Platform | undefined {
  const [first, second] = platforms ?? [];
  if (second) throw invalidParameter('multiple platforms are not supported');
  return first;
}
