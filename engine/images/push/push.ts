import { Readable } from 'node:stream';
import type { Progress } from '@cleat/protocol/api/image';
import { conflict, notFound, systemError } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { type Emit, progressOf } from '../../async/progress.js';
import type { Platform } from '../../content/platform.js';
import {
  canonical,
  familiar,
  familiarName,
  parseReference,
  type Reference,
  repositoryOf,
  withTag,
} from '../../content/references.js';
import type { RegistryClient } from '../../distribution/client.js';
import { mediaType } from '../../distribution/manifest.js';
import { type Described, describe } from '../archive/oci-manifest.js';
import type { Found, Image } from '../catalog.js';
import { platformOf } from '../config.js';
import type { Context } from '../context.js';
import { findFor, imagesOf } from '../select.js';
import type { PushOptions } from '../service.js';
import { hostDistance, isImageManifest } from '../targets.js';
import { pushLayers } from './layers.js';

/**
 * `POST /images/{name}/push`: one tag, or all tags of the repository. What fails after the first line is the last
 * line, as in Docker; clients look for `error`.
 * @throws InvalidParameter for a malformed reference, NotFound for a platform that the image has not, before the first
 * line
 */
export function push(context: Context, options: PushOptions): AsyncIterable<Progress> {
  return progressOf(async (emit, signal) => {
    const named = parseReference(options.ref);
    const reference = options.tag ? withTag(named, options.tag) : named;
    if (options.platform) findFor(context, canonical(reference), options.platform);
    emit({ status: `The push refers to repository [${repositoryOf(reference)}]` });
    const tags = localTags(context, reference);
    const request = { reference, access: 'push' as const, auth: options.auth, signal };
    await context.distribution.connect(request, async (client) => {
      for (const tagged of tags) await pushTag({ context, client, tagged, emit, signal }, options.platform);
    });
    context.publishAs('push', familiar(reference), familiarName(reference), context.catalog.lookUp(reference));
  }, options.signal);
}

function localTags(context: Pick<Context, 'catalog'>, reference: Reference): Reference[] {
  if (reference.digest) throw systemError('cannot push a digest reference');
  const known = context.catalog
    .referencesIn(repositoryOf(reference))
    .map((each) => each.reference)
    .filter(({ digest }) => digest === undefined);
  if (known.length === 0) {
    throw notFound(`An image does not exist locally with the tag: ${familiarName(reference)}`);
  }
  const wanted = reference.tag === undefined ? known : known.filter(({ tag }) => tag === reference.tag);
  if (wanted.length === 0) throw notFound(`tag does not exist: ${familiar(reference)}`);
  return wanted;
}

interface Task {
  context: Context;
  client: RegistryClient;
  tagged: Reference;
  emit: Emit;
  signal: AbortSignal;
}

/** Pushes the image of a tag, or the index of its images for several platforms if all of these are here. */
async function pushTag(task: Task, platform: Platform | undefined): Promise<void> {
  const { context, client, tagged, emit, signal } = task;
  const found = context.catalog.found(canonical(tagged));
  const images = platform ? [findFor(context, canonical(tagged), platform)] : wholeOf(context, found);
  const tag = tagged.tag ?? 'latest';
  const pushed: { image: Image; described: Described }[] = [];
  for (const image of images) {
    const reference = images.length > 1 ? undefined : tag;
    pushed.push({ image, described: await pushOne(task, image, reference) });
  }
  const manifests = pushed.map(({ described }) => described);
  const whole = manifests.length > 1 ? describe(mediaType.dockerList, listOf(manifests)) : manifests[0];
  if (!whole) throw notFound(`tag does not exist: ${familiar(tagged)}`);
  if (manifests.length > 1) await client.putManifest(tag, whole.mediaType, listOf(manifests), signal);
  const { digest, size } = whole;
  emit({ status: `${tag}: digest: ${digest} size: ${size}` });
  // One of the other platforms alone is not what the name is known by.
  if (images.includes(found.image)) {
    for (const { image, described } of pushed) {
      const target = context.catalog.arrive({ ...whole, manifests }, described.digest, image.id);
      context.catalog.addDigest(tagged, digest, image.id, target);
    }
  }
  const { target } = found;
  if (!platform && target && imagesOf(context, found).length > images.length) {
    const { manifests: _, v: __, ...originalIndex } = target;
    emit({ aux: { manifestPushedInsteadOfIndex: true, originalIndex, selectedManifest: whole } });
  }
  emit({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
}

/**
 * All images of an index, if they are here; else the one for this host, as moby does (`getPushDescriptor`).
 * @throws Conflict when none of those that are here is for this host
 */
function wholeOf(context: Pick<Context, 'catalog'>, found: Found): Image[] {
  const present = imagesOf(context, found);
  const isWhole = found.target?.manifests.filter(isImageManifest).every(({ image }) => image !== undefined);
  if (present.length === 1 || isWhole) return present;
  if (hostDistance(platformOf(found.image.config)) < Number.POSITIVE_INFINITY) return [found.image];
  throw conflict('multiple matching manifests found but no specific platform requested');
}

const listOf = (manifests: readonly Described[]): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: mediaType.dockerList, manifests }, undefined, 3);

/** @param reference the tag; undefined: it is known by its digest only */
async function pushOne(task: Task, image: Image, reference: string | undefined): Promise<Described> {
  const { context, client, tagged, emit, signal } = task;
  const layers = await pushLayers({
    ...{ context, client, emit, signal, repository: repositoryOf(tagged) },
    diffIds: image.config.rootfs.diff_ids,
  });
  const config = Buffer.from(image.record.raw);
  if (!(await client.hasBlob(image.id, signal))) {
    await client.upload(image.id, config.length, () => owned(Readable.from([config])), signal);
  }
  const manifest = JSON.stringify(
    {
      schemaVersion: 2,
      mediaType: mediaType.dockerManifest,
      config: { mediaType: mediaType.dockerConfig, size: config.length, digest: image.id },
      layers: layers.map(({ digest, size }) => ({ mediaType: mediaType.dockerLayer, size, digest })),
    },
    undefined,
    3,
  );
  const described = describe(mediaType.dockerManifest, manifest);
  await client.putManifest(reference ?? described.digest, mediaType.dockerManifest, manifest, signal);
  return { ...described, platform: platformOf(image.config) };
}
