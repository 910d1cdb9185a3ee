import { Readable } from 'node:stream';
import type { Progress } from '@cleat/protocol/api/image';
import { notFound, systemError } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { type Emit, progressOf } from '../../async/progress.js';
import { digestOf } from '../../content/blobs.js';
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
import type { Image } from '../catalog.js';
import type { Context } from '../context.js';
import { findFor } from '../select.js';
import type { PushOptions } from '../service.js';
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
    const images = localImages(context, reference);
    const request = { reference, access: 'push' as const, auth: options.auth, signal };
    await context.distribution.connect(request, async (client) => {
      for (const { tagged, image } of images) await pushOne(context, client, tagged, image, emit, signal);
    });
    context.publishAs('push', familiar(reference), familiarName(reference), context.catalog.lookUp(reference));
  }, options.signal);
}

function localImages(context: Pick<Context, 'catalog'>, reference: Reference): { tagged: Reference; image: Image }[] {
  if (reference.digest) throw systemError('cannot push a digest reference');
  const known = context.catalog.referencesIn(repositoryOf(reference)).filter((each) => !each.reference.digest);
  if (known.length === 0) {
    throw notFound(`An image does not exist locally with the tag: ${familiarName(reference)}`);
  }
  const wanted = reference.tag === undefined ? known : known.filter((each) => each.reference.tag === reference.tag);
  if (wanted.length === 0) throw notFound(`tag does not exist: ${familiar(reference)}`);
  return wanted.map((each) => ({ tagged: each.reference, image: context.catalog.find(each.id) }));
}

async function pushOne(
  context: Context,
  client: RegistryClient,
  reference: Reference,
  image: Image,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  const tag = reference.tag ?? 'latest';
  const layers = await pushLayers({ context, client, image, repository: repositoryOf(reference), emit, signal });
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
  await client.putManifest(tag, mediaType.dockerManifest, manifest, signal);
  const digest = digestOf(manifest);
  const size = Buffer.byteLength(manifest);
  emit({ status: `${tag}: digest: ${digest} size: ${size}` });
  context.catalog.addDigest(reference, digest, image.id);
  emit({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
}
