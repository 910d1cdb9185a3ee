import { pipeline, Readable, type Writable } from 'node:stream';
import { type CleatError, cancelled, invalidParameter, notFound, unavailable } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { pack } from 'tar-stream';
import { formatPlatform, type Platform } from '../../content/platform.js';
import {
  canonical,
  familiar,
  familiarName,
  parseAny,
  parseReference,
  type Reference,
  repositoryOf,
  withDefaultTag,
} from '../../content/references.js';
import { mediaType } from '../../distribution/manifest.js';
import type { LayerRecord } from '../../layers/service.js';
import type { Found, Image } from '../catalog.js';
import { platformOf } from '../config.js';
import type { Context } from '../context.js';
import { bestFor, imagesOf } from '../select.js';
import { type Described, describe, layerDescriptor, manifestOf } from './oci-manifest.js';

/** The images that are saved under some names. */
interface Saved {
  /** Those for several platforms, or one. The first is the one that tools see which know of one alone. */
  parts: [Part, ...Part[]];
  references: Reference[];
}

interface Part {
  image: Image;
  layers: LayerRecord[];
}

/**
 * A tar that holds images both as OCI layout and with `manifest.json`, layers uncompressed, as Docker 25 and later
 * write it (moby `daemon/internal/image/tarexport/save.go`).
 * @throws NotFound, InvalidParameter, before a byte is sent
 */
export async function save(
  context: Context,
  refs: readonly string[],
  platforms?: readonly Platform[],
  { names }: { readonly names?: readonly string[] } = {},
): Promise<Readable> {
  const images = [...select(context, refs, platforms ?? []).values()];
  const [only] = images;
  if (names && only) only.references = names.map((name) => withDefaultTag(parseReference(name)));
  return owned(Readable.from(archiveOf(context, images), { objectMode: false }));
}

type Rooms = Pick<Context, 'catalog' | 'layers'>;

function select(context: Rooms, refs: readonly string[], platforms: readonly Platform[]): Map<string, Saved> {
  const { catalog } = context;
  const selected = new Map<string, Saved>();
  const add = (found: Found, reference?: Reference) => {
    const parts = partsOf(context, found, platforms);
    const key = parts.map(({ image }) => image.id).join();
    const saved = selected.get(key) ?? { parts, references: [] };
    selected.set(key, saved);
    if (!reference || reference.digest) return;
    if (!saved.references.some((known) => canonical(known) === canonical(reference))) saved.references.push(reference);
  };
  const addSearched = (text: string) => {
    const image = catalog.search(text);
    if (!image) throw missing(text);
    add(catalog.found(image.id));
  };
  for (const text of refs) {
    const any = parseAny(text);
    if (any.kind === 'id') {
      add(catalog.found(text));
      continue;
    }
    const { reference } = any;
    if (reference.tag !== undefined || reference.digest !== undefined) {
      const found = catalog.lookUpFound(reference);
      if (found) add(found, reference);
      else addSearched(text);
      continue;
    }
    const all = catalog.referencesIn(repositoryOf(reference));
    for (const known of all) {
      const found = catalog.lookUpFound(known.reference);
      if (found) add(found, known.reference);
    }
    if (all.length === 0) addSearched(text);
  }
  return selected;
}

/** The images of a name for these platforms, or all; the one for this host first. @throws NotFound */
function partsOf(context: Rooms, found: Found, platforms: readonly Platform[]): Saved['parts'] {
  const all = imagesOf(context, found);
  const wanted = platforms.length > 0 ? platforms.map((platform) => wantedFor(all, platform)) : all;
  const sorted = wanted.includes(found.image) ? [found.image, ...wanted] : wanted;
  const [first, ...others] = [...new Set(sorted)].map((image) => ({ image, layers: layersOf(context, image) }));
  if (!first) throw unavailable('the images of the name have gone meanwhile');
  return [first, ...others];
}

function wantedFor(all: readonly Image[], platform: Platform): Image {
  const image = bestFor(all, platform);
  if (image) return image;
  throw notFound(`no suitable export target found for platform ${formatPlatform(platform)}`);
}

const missing = (text: string): CleatError => notFound(`No such image: ${text}`);

function layersOf(context: Pick<Context, 'layers'>, image: Image): LayerRecord[] {
  const { diff_ids: diffIds } = image.config.rootfs;
  if (diffIds.length === 0) throw invalidParameter('empty export - not implemented');
  return diffIds.map((diffId) => {
    const layer = context.layers.get(diffId);
    if (!layer) throw unavailable(`layer ${diffId} is missing: pull or load the image again`);
    return layer;
  });
}

const { ociManifest, ociIndex } = mediaType;
const blobPath = (digest: string) => `blobs/sha256/${digest.slice('sha256:'.length)}`;

async function* archiveOf(
  context: Pick<Context, 'content' | 'layers' | 'publish'>,
  images: Saved[],
): AsyncGenerator<Buffer> {
  const lease = context.content.lease();
  const tar = owned(pack());
  try {
    for (const { layers } of images.flatMap(({ parts }) => parts)) {
      for (const layer of layers) lease.keepLayer(layer.diffId);
    }
    const written = writeAll(context, images, tar).catch((error: Error) => tar.destroy(error));
    // Not `yield*`: a reader that leaves with an error would have it thrown into the tar.
    for await (const chunk of tar as unknown as AsyncIterable<Buffer>) yield chunk;
    await written;
  } finally {
    tar.destroy();
    lease.end();
    await context.layers.collect(lease.layers);
  }
}

type Pack = ReturnType<typeof pack>;

async function writeAll(context: Pick<Context, 'layers' | 'publish'>, images: Saved[], tar: Pack): Promise<void> {
  for (const name of ['blobs/', 'blobs/sha256/']) tar.entry({ name, type: 'directory', mode: 0o755, mtime: epoch });
  const done = new Set<string>();
  const manifest: object[] = [];
  const index: object[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  for (const { parts, references } of images) {
    const described: Described[] = [];
    for (const part of parts) described.push(await writePart(context, part, tar, done));
    const [{ image, layers }] = parts;
    const { parent } = image.record;
    const isSavedToo = images.some((other) => other.parts[0].image.id === parent);
    manifest.push({ ...manifestItem(image, references, layers), ...(isSavedToo && { Parent: parent }) });
    index.push(...indexItems(writeIndex(described, tar, done), references));
    for (const reference of references) {
      const tags = repositories[familiarName(reference)] ?? {};
      tags[reference.tag ?? 'latest'] = layers.at(-1)?.diffId.slice('sha256:'.length) ?? '';
      repositories[familiarName(reference)] = tags;
    }
    context.publish('save', image.id);
  }
  writeFile(tar, 'index.json', JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests: index }));
  writeFile(tar, 'manifest.json', `${JSON.stringify(manifest)}\n`);
  writeFile(tar, 'oci-layout', '{"imageLayoutVersion": "1.0.0"}');
  if (Object.keys(repositories).length > 0) writeFile(tar, 'repositories', `${JSON.stringify(repositories)}\n`);
  tar.finalize();
}

const epoch = new Date(0);

function writeFile(tar: Pack, name: string, content: string, done?: Set<string>): void {
  if (done?.has(name)) return;
  done?.add(name);
  tar.entry({ name, mode: 0o644, mtime: epoch }, content);
}

function manifestItem(image: Image, references: Reference[], layers: LayerRecord[]): object {
  return {
    Config: blobPath(image.id),
    RepoTags: references.length > 0 ? references.map(familiar) : null,
    Layers: layers.map((layer) => blobPath(layer.diffId)),
    LayerSources: Object.fromEntries(layers.map((layer) => [layer.diffId, layerDescriptor(layer)])),
  };
}

function indexItems(descriptor: Described, references: Reference[]): object[] {
  if (references.length === 0) return [descriptor];
  return references.map((reference) => ({
    ...descriptor,
    annotations: {
      'io.containerd.image.name': canonical(reference),
      'org.opencontainers.image.ref.name': reference.tag ?? 'latest',
    },
  }));
}

/** Layers, configuration and manifest of an image. @returns the manifest's descriptor */
async function writePart(
  context: Pick<Context, 'layers'>,
  { image, layers }: Part,
  tar: Pack,
  done: Set<string>,
): Promise<Described> {
  for (const layer of layers) {
    if (!done.has(layer.diffId)) await writeLayer(context, layer, tar);
    done.add(layer.diffId);
  }
  writeFile(tar, blobPath(image.id), image.record.raw, done);
  const raw = manifestOf(image, layers);
  const described = describe(ociManifest, raw);
  writeFile(tar, blobPath(described.digest), raw, done);
  return { ...described, platform: platformOf(image.config) };
}

/** The one manifest, or an index of several. */
function writeIndex(manifests: Described[], tar: Pack, done: Set<string>): Described {
  const [only, second] = manifests;
  if (only && !second) {
    const { platform: _, ...alone } = only;
    return alone;
  }
  const raw = JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests });
  const described = describe(ociIndex, raw);
  writeFile(tar, blobPath(described.digest), raw, done);
  return described;
}

async function writeLayer(context: Pick<Context, 'layers'>, layer: LayerRecord, tar: Pack): Promise<void> {
  let left: () => void = () => {};
  try {
    const name = blobPath(layer.diffId);
    await new Promise<void>((resolve, reject) => {
      // The reader of the archive may have left meanwhile.
      left = () => reject(cancelled('the reader of the archive is gone'));
      tar.once('close', left);
      const entry = owned(
        tar.entry({ name, size: layer.tarSize, mode: 0o644, mtime: epoch }, (error) =>
          error ? reject(error) : resolve(),
        ),
      );
      const source = owned(Readable.from(context.layers.archive(layer), { objectMode: false }));
      pipeline(source, entry as unknown as Writable, (error) => error && reject(error));
    });
  } finally {
    tar.off('close', left);
  }
}
