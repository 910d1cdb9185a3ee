import { pipeline, Readable, type Writable } from 'node:stream';
import { type CleatError, cancelled, invalidParameter, notFound, unavailable } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { pack } from 'tar-stream';
import { digestOf } from '../../content/blobs.js';
import { formatPlatform, isForPlatform, type Platform } from '../../content/platform.js';
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
import type { LayerRecord } from '../../layers/service.js';
import type { Image } from '../catalog.js';
import type { Context } from '../context.js';
import { onlyPlatform, platformOf } from '../select.js';

interface Saved {
  image: Image;
  references: Reference[];
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
  const wanted = onlyPlatform(platforms);
  const images = [...select(context, refs).values()];
  const [only] = images;
  if (names && only) only.references = names.map((name) => withDefaultTag(parseReference(name)));
  for (const { image } of images) {
    if (!wanted || isForPlatform(wanted, platformOf(image.config))) continue;
    throw notFound(`no suitable export target found for platform ${formatPlatform(wanted)}`);
  }
  return owned(Readable.from(archiveOf(context, images), { objectMode: false }));
}

function select(context: Pick<Context, 'catalog' | 'layers'>, refs: readonly string[]): Map<string, Saved> {
  const selected = new Map<string, Saved>();
  const add = (image: Image, reference?: Reference) => {
    let saved = selected.get(image.id);
    if (!saved) {
      saved = { image, references: [], layers: layersOf(context, image) };
      selected.set(image.id, saved);
    }
    if (!reference || reference.digest) return;
    if (!saved.references.some((known) => canonical(known) === canonical(reference))) saved.references.push(reference);
  };
  for (const text of refs) {
    const any = parseAny(text);
    if (any.kind === 'id') {
      add(context.catalog.find(text));
      continue;
    }
    const { reference } = any;
    if (reference.tag !== undefined || reference.digest !== undefined) {
      const image = context.catalog.lookUp(reference) ?? context.catalog.search(text);
      if (!image) throw missing(text);
      add(image, context.catalog.lookUp(reference) ? reference : undefined);
      continue;
    }
    const all = context.catalog.referencesIn(repositoryOf(reference));
    for (const known of all) {
      const image = context.catalog.get(known.id);
      if (image) add(image, known.reference);
    }
    if (all.length > 0) continue;
    const image = context.catalog.search(text);
    if (!image) throw missing(text);
    add(image);
  }
  return selected;
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

const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const blobPath = (digest: string) => `blobs/sha256/${digest.slice('sha256:'.length)}`;

async function* archiveOf(
  context: Pick<Context, 'content' | 'layers' | 'publish'>,
  images: Saved[],
): AsyncGenerator<Buffer> {
  const lease = context.content.lease();
  const tar = owned(pack());
  try {
    for (const { layers } of images) for (const layer of layers) lease.keepLayer(layer.diffId);
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
  for (const { image, references, layers } of images) {
    for (const layer of layers) if (!done.has(layer.diffId)) await writeLayer(context, layer, tar);
    for (const layer of layers) done.add(layer.diffId);
    writeFile(tar, blobPath(image.id), image.record.raw, done);
    const raw = ociManifestOf(image, layers);
    writeFile(tar, blobPath(digestOf(raw)), raw, done);
    const { parent } = image.record;
    const isSavedToo = images.some((other) => other.image.id === parent);
    manifest.push({ ...manifestItem(image, references, layers), ...(isSavedToo && { Parent: parent }) });
    index.push(...indexItems(raw, references));
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

const ociIndex = 'application/vnd.oci.image.index.v1+json';
const epoch = new Date(0);

function writeFile(tar: Pack, name: string, content: string, done?: Set<string>): void {
  if (done?.has(name)) return;
  done?.add(name);
  tar.entry({ name, mode: 0o644, mtime: epoch }, content);
}

const layerDescriptor = (layer: LayerRecord) => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar',
  digest: layer.diffId,
  size: layer.tarSize,
});

function ociManifestOf(image: Image, layers: LayerRecord[]): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: image.id,
      size: Buffer.byteLength(image.record.raw),
    },
    layers: layers.map(layerDescriptor),
  });
}

function manifestItem(image: Image, references: Reference[], layers: LayerRecord[]): object {
  return {
    Config: blobPath(image.id),
    RepoTags: references.length > 0 ? references.map(familiar) : null,
    Layers: layers.map((layer) => blobPath(layer.diffId)),
    LayerSources: Object.fromEntries(layers.map((layer) => [layer.diffId, layerDescriptor(layer)])),
  };
}

function indexItems(raw: string, references: Reference[]): object[] {
  const descriptor = { mediaType: ociManifest, digest: digestOf(raw), size: Buffer.byteLength(raw) };
  if (references.length === 0) return [descriptor];
  return references.map((reference) => ({
    ...descriptor,
    annotations: {
      'io.containerd.image.name': canonical(reference),
      'org.opencontainers.image.ref.name': reference.tag ?? 'latest',
    },
  }));
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
