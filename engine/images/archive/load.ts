import type { Readable } from 'node:stream';
import type { Progress } from '@cleat/protocol/api/image';
import { invalidParameter, notFound } from '@cleat/protocol/errors';
import { type Emit, progressOf, withErrorLine } from '../../async/progress.js';
import { ArchiveFiles } from '../../content/archive-files.js';
import type { Lease } from '../../content/leases.js';
import { formatPlatform, isForPlatform, type Platform } from '../../content/platform.js';
import { familiar, parseReference, type Reference } from '../../content/references.js';
import type { Image } from '../catalog.js';
import { parseNewImageConfig, platformOf, refuseTooDeep } from '../config.js';
import type { Context } from '../context.js';
import type { TargetRecord } from '../records.js';
import type { LoadOptions } from '../service.js';
import type { ArchivedImage, ArchivedManifest } from './archived-image.js';
import { dockerImages } from './docker-archive.js';
import { EarlyLayers } from './early-layers.js';
import { legacyImages } from './legacy-archive.js';
import { hasIndexes, ociImages } from './oci-layout.js';

/**
 * `POST /images/load`: what `docker save` of any age, or a tool that writes OCI layouts, has written.
 * An error of it is the last line: clients look for it there, as Docker's head is out by then.
 */
export function load(context: Context, archive: Readable, options: LoadOptions): AsyncIterable<Progress> {
  const lines = progressOf(async (emit, signal) => {
    const wanted = options.platforms ?? [];
    await context.layers.withLease(async (lease) => {
      const report: Emit = options.quiet ? () => {} : emit;
      await using early = new EarlyLayers(context, lease, signal, report);
      const files = await ArchiveFiles.read(context.content, archive, lease, signal, early);
      const loaded: { image: Image; parent: string | undefined }[] = [];
      let named = 0;
      for (const item of renamed(await imagesFor(files, wanted), options.names)) {
        const names = item.names.map(taggedName);
        const { image, target } = await loadTarget(context, item, lease, signal);
        loaded.push({ image, parent: item.parent });
        for (const name of names) tagLoaded(context, image, target, name, emit);
        named += names.length;
        context.publish('load', image.id);
      }
      for (const { image, parent } of loaded) if (parent) linkToParent(context, image, parent);
      if (named === 0) for (const { image } of loaded) emit({ stream: `Loaded image ID: ${image.id}\n` });
    });
  }, options.signal);
  return withErrorLine(lines);
}

/** @throws InvalidParameter for an archive with more than the one image that is to have these names */
function renamed(images: readonly ArchivedImage[], names: LoadOptions['names']): readonly ArchivedImage[] {
  if (!names) return images;
  if (names.length > 0 && images.length > 1) {
    throw invalidParameter(`invalid archive: it holds ${images.length} images, not the one that was built`);
  }
  return images.map((item) => ({ ...item, names: [...names] }));
}

async function imagesFor(files: ArchiveFiles, wanted: readonly Platform[]): Promise<ArchivedImage[]> {
  const all = await imagesIn(files, wanted);
  if (wanted.length === 0) return all;
  const missing = new Set(wanted);
  const isWanted = ({ raw }: ArchivedManifest): boolean => {
    const offered = platformOf(parseNewImageConfig(raw));
    const asked = wanted.filter((platform) => isForPlatform(platform, offered));
    for (const platform of asked) missing.delete(platform);
    return asked.length > 0;
  };
  const fitting = all.flatMap((item) => {
    const manifests = item.manifests.filter(isWanted);
    return manifests.length > 0 ? [{ ...item, manifests }] : [];
  });
  if (missing.size === 0) return fitting;
  const shown = [...missing].map((each) => formatPlatform(each)).join(' ');
  throw notFound(`no images providing the requested platform(s) found: [${shown}]`);
}

async function imagesIn(files: ArchiveFiles, wanted: readonly Platform[]): Promise<ArchivedImage[]> {
  // In an archive with both, only the index names images for other platforms; only the other one names parents.
  const hasIndex = files.find('index.json') !== undefined;
  if (hasIndex && (wanted.length > 0 || (await hasIndexes(files)))) return await ociImages(files);
  if (files.find('manifest.json')) return await dockerImages(files);
  if (hasIndex) return await ociImages(files);
  if (files.find('repositories')) return await legacyImages(files);
  throw invalidParameter('invalid archive: does not contain a manifest.json');
}

function taggedName(name: string): Reference {
  const reference = parseReference(name);
  if (reference.tag === undefined) throw invalidParameter(`invalid tag "${name}"`);
  return reference;
}

/** All images that a name has in the archive. @returns the one that it stands for here */
async function loadTarget(
  context: Pick<Context, 'catalog' | 'create' | 'layers'>,
  { manifests, target, names }: ArchivedImage,
  lease: Lease,
  signal: AbortSignal,
): Promise<{ image: Image; target?: TargetRecord }> {
  const here = manifests.filter(({ raw }) => platformOf(parseNewImageConfig(raw)).os === 'linux');
  const wanted = here.length > 0 ? here : manifests;
  // All of them are here before one of them is an image: a failure leaves none.
  for (const manifest of wanted) await loadLayers(context, manifest, lease, signal);
  let whole: { image: Image; target?: TargetRecord } | undefined;
  for (const manifest of wanted) {
    const image = context.create(manifest.raw);
    whole = { image };
    // It is kept for its names.
    if (!target || manifest.digest === undefined || names.length === 0) continue;
    whole.target = context.catalog.arrive(target, manifest.digest, image.id);
  }
  if (!whole) throw invalidParameter('invalid archive: an image has no manifest');
  const found = whole.target && context.catalog.bestOf(whole.target, whole.image.id);
  return { ...whole, image: (found && context.catalog.get(found)) ?? whole.image };
}

async function loadLayers(
  context: Pick<Context, 'layers'>,
  item: ArchivedManifest,
  lease: Lease,
  signal: AbortSignal,
): Promise<void> {
  const config = parseNewImageConfig(item.raw);
  const os = config.os ?? 'linux';
  if (os !== 'linux') throw invalidParameter(`cannot load ${os} image on linux`);
  const { diff_ids: diffIds } = config.rootfs;
  refuseTooDeep(diffIds.length);
  if (item.layers.length !== diffIds.length) {
    throw invalidParameter(
      `invalid manifest, layers length mismatch: expected ${item.layers.length}, got ${diffIds.length}`,
    );
  }
  for (const [at, diffId] of diffIds.entries()) {
    const blob = item.layers[at];
    if (!blob || context.layers.get(diffId)) {
      lease.keepLayer(diffId);
      continue;
    }
    await context.layers.add({ blob, lease, diffId, signal });
  }
}

function tagLoaded(
  context: Pick<Context, 'catalog'>,
  image: Image,
  target: TargetRecord | undefined,
  reference: Reference,
  emit: Emit,
): void {
  const before = context.catalog.lookUp(reference);
  if (before && before.id !== image.id) {
    const stream = `The image ${familiar(reference)} already exists, renaming the old one with ID ${before.id} to empty string\n`;
    emit({ stream });
  }
  context.catalog.tag(reference, image.id, target);
  emit({ stream: `Loaded image: ${familiar(reference)}\n` });
}

/**
 * Believes an archive that an image was made from another only if that can be: one more step in its history, on top of
 * the same layers. So there is no circle either.
 */
function linkToParent(context: Pick<Context, 'catalog'>, image: Image, parentId: string): void {
  const known = context.catalog.knownId(parentId);
  const parent = known && context.catalog.get(known);
  if (!parent || image.record.parent) return;
  const steps = (each: Image) => each.config.history?.length ?? 0;
  const below = parent.config.rootfs.diff_ids;
  const isPrefix = below.every((diffId, at) => image.config.rootfs.diff_ids[at] === diffId);
  if (isPrefix && steps(image) === steps(parent) + 1) context.catalog.setParent(image.id, parent.id);
}
