import type { Progress } from '@cleat/protocol/api/image';
import { type Emit, progressOf } from '../../async/progress.js';
import { formatPlatform, hostPlatform, isForPlatform, type Platform, parsePlatform } from '../../content/platform.js';
import {
  canonical,
  familiar,
  familiarName,
  isDigest,
  parseReference,
  type Reference,
  refuseReserved,
  repositoryOf,
  withDigest,
  withTag,
} from '../../content/references.js';
import type { RegistryClient } from '../../distribution/client.js';
import { pullError } from '../../distribution/errors.js';
import { chosen, mediaTypeOf, type Named, named } from '../../distribution/resolve.js';
import type { Image } from '../catalog.js';
import { platformOf } from '../config.js';
import type { Context } from '../context.js';
import type { PullOptions } from '../service.js';
import { type FoundTarget, refuseLargeTarget } from '../targets.js';
import { pullImage } from './image.js';

/**
 * `POST /images/create?fromImage=`. The lines read as Docker's. Without tag and digest, all tags are pulled.
 * @throws before the first line: InvalidParameter, Forbidden, NotFound (no such image or no access), Unauthorized,
 * Unavailable (the registry cannot be reached)
 */
export function pull(context: Context, options: PullOptions): AsyncIterable<Progress> {
  return progressOf(async (emit, signal) => {
    const reference = wantedReference(options);
    refuseReserved(reference);
    const platform = options.platform ? parsePlatform(options.platform) : undefined;
    try {
      const request = { reference, access: 'pull' as const, auth: options.auth, signal };
      await context.distribution.connect(request, async (client) => {
        const isWhole = reference.tag === undefined && reference.digest === undefined;
        const wanted = isWhole ? (await client.tags(signal)).map((tag) => withTag(reference, tag)) : [reference];
        let isNew = false;
        for (const each of wanted) isNew = (await pullOne(context, client, each, platform, emit, signal)) || isNew;
        const status = isNew ? 'Downloaded newer image for' : 'Image is up to date for';
        emit({ status: `Status: ${status} ${familiar(reference)}` });
      });
    } catch (error) {
      throw pullError(error, reference);
    }
    const image = context.catalog.lookUp(reference);
    context.publishAs('pull', familiar(reference), familiarName(reference), image);
  }, options.signal);
}

function wantedReference({ image, tag }: PullOptions): Reference {
  const named = parseReference(image.replace(/:$/, ''));
  if (tag === '') return named;
  return isDigest(tag) ? withDigest(named, tag) : withTag(named, tag);
}

/** @returns whether the reference now points elsewhere than before */
async function pullOne(
  context: Context,
  client: RegistryClient,
  reference: Reference,
  platform: Platform | undefined,
  emit: Emit,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await named(client, reference, 'image', signal);
  const { remote } = found;
  const target = targetOf(found);
  refuseLargeTarget(target);
  const shown = reference.digest ? canonical(reference) : reference.tag;
  emit({ status: `Pulling from ${reference.path}`, id: shown });
  const { remote: its, manifest } = await chosen(client, found, reference, platform ?? hostPlatform(), 'image', signal);
  return await context.layers.withLease(async (lease) => {
    const repository = repositoryOf(reference);
    const image = await pullImage({ repository, context, client, manifest, lease, emit, signal });
    if (platform) warnOfOtherPlatform(image, reference, platform, emit);
    emit({ status: `Digest: ${remote.digest}` });
    const before = context.catalog.lookUpFound(reference);
    const isThere = context.catalog.present(before?.target).some(({ id }) => id === image.id);
    const wasThere = before?.target?.digest === target.digest && isThere;
    const whole = context.catalog.arrive(target, its.digest, image.id);
    context.catalog.addDigest(reference, remote.digest, image.id, whole);
    if (!reference.digest) context.catalog.tag(reference, image.id, whole);
    // An image that was pulled before targets were kept has none.
    return !wasThere && (before?.target !== undefined || before?.image.id !== image.id);
  });
}

/** The target of a reference in the registry, as it is kept here. */
function targetOf(found: Named): FoundTarget {
  const { remote, top } = found;
  const own = { mediaType: mediaTypeOf(found), digest: remote.digest, size: Buffer.byteLength(remote.text) };
  return { ...own, manifests: top.kind === 'list' ? top.manifests : [own] };
}

/** An image for one platform is taken as it is, but not silently. */
function warnOfOtherPlatform(image: Image, reference: Reference, wanted: Platform, emit: Emit): void {
  const actual = platformOf(image.config);
  if (isForPlatform(wanted, actual)) return;
  emit({
    status: `WARNING: image with reference ${familiar(reference)} was found but its platform (${formatPlatform(actual)}) does not match the specified platform (${formatPlatform(wanted)})`,
  });
}
