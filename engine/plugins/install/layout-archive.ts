import type { PluginManifest } from '@cleat/protocol/api/plugin';
import { invalidParameter, notFound } from '@cleat/protocol/errors';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { ArchiveFiles } from '../../content/archive-files.js';
import { formatPlatform, hostPlatform, platformDistance } from '../../content/platform.js';
import type { Lease, StoredBlob } from '../../content/service.js';
import {
  chooseManifest,
  type Descriptor,
  type ImageManifest,
  mediaType,
  parseManifest,
} from '../../distribution/manifest.js';
import type { Context } from '../context.js';
import type { PluginLayer, PluginPackage } from '../record.js';
import { bothForms, formOf, type OpenedArchive } from './archive-form.js';
import { checkLayerCount } from './artifact.js';

/** A plugin in an archive, by its registry manifest. */
interface Found {
  readonly descriptor: Descriptor;
  readonly text: string;
  readonly manifest: ImageManifest;
}

/** More are no plugin and what belongs to it, but an archive of something else. */
const maxEntries = 1000;

/**
 * A plugin from an archive of an OCI image layout, as `cleat package`, `cleat plugins save --format oci` and other tools write it:
 * the same artifact that a registry would give, byte for byte, so its digest stays. Every blob is what its digest says.
 * @throws InvalidParameter for what holds no plugin, or more than one; NotFound when there is none for this platform
 */
export async function fromLayout(
  context: Pick<Context, 'content' | 'layers' | 'unpacks'>,
  { reader, first, drain }: OpenedArchive,
  name: string,
  lease: Lease,
  signal: AbortSignal,
): Promise<{ manifest: PluginManifest; package: PluginPackage }> {
  const files = await ArchiveFiles.rest(context.content, reader, first, lease, signal);
  await drain();
  if (files.names().some((each) => formOf(each) === 'package')) throw bothForms();
  const { descriptor, text, manifest: artifact } = await only(files, name);
  checkLayerCount(artifact, name);
  blobOf(files, artifact.config);
  const config = await files.text(pathOf(artifact.config));
  const manifest = readManifest(config, 'lenient');
  const layers: PluginLayer[] = [];
  for (const each of artifact.layers) {
    layers.push(await layerOf(context, blobOf(files, each), lease, signal));
  }
  return {
    manifest,
    package: {
      reference: name,
      config,
      artifact: text,
      mediaType: descriptor.mediaType || mediaType.ociManifest,
      layers,
    },
  };
}

async function only(files: ArchiveFiles, name: string): Promise<Found> {
  const index = parseManifest(await files.text('index.json'), mediaType.ociIndex, name, 'plugin');
  if (index.kind !== 'list') throw invalidParameter('invalid archive: index.json is no index');
  if (index.manifests.length > maxEntries)
    throw invalidParameter(`the archive lists more than ${maxEntries} manifests`);
  const found = new Map<string, Found>();
  const others: unknown[] = [];
  for (const descriptor of index.manifests) {
    const { os, architecture } = descriptor.platform;
    const isForAny = os === '' && architecture === '';
    if (!isForAny && platformDistance(hostPlatform(), descriptor.platform) === undefined) continue;
    try {
      const one = await artifactOf(files, descriptor, name);
      found.set(one.descriptor.digest, one);
    } catch (error) {
      // Signatures and the like lie beside it.
      others.push(error);
    }
  }
  const [one, ...more] = found.values();
  if (one && more.length === 0) return one;
  if (one) {
    throw invalidParameter(`the archive holds several plugins: ${[...found.keys()].join(', ')}`);
  }
  const [reason] = others;
  if (reason !== undefined) throw reason;
  throw notFound(`the archive holds no plugin for ${formatPlatform(hostPlatform())}`);
}

async function artifactOf(files: ArchiveFiles, descriptor: Descriptor, name: string): Promise<Found> {
  blobOf(files, descriptor);
  const text = await files.text(pathOf(descriptor));
  const manifest = parseManifest(text, descriptor.mediaType, name, 'plugin');
  if (manifest.kind === 'image') return { descriptor, text, manifest };
  const choice = chooseManifest(manifest, hostPlatform());
  if (!choice) throw notFound(`the archive holds no plugin for ${formatPlatform(hostPlatform())}`);
  blobOf(files, choice);
  const child = await files.text(pathOf(choice));
  const own = parseManifest(child, choice.mediaType, name, 'plugin');
  if (own.kind !== 'image') throw invalidParameter('unsupported manifest format: a list inside a list');
  return { descriptor: choice, text: child, manifest: own };
}

/** @throws InvalidParameter when it is missing, or not what its digest and its size say */
function blobOf(files: ArchiveFiles, { digest, size }: Descriptor): StoredBlob {
  const blob = files.get(pathOf({ digest }));
  if (blob.digest !== digest)
    throw invalidParameter(`invalid archive: ${pathOf({ digest })} does not have that digest`);
  if (blob.size !== size) throw invalidParameter(`invalid archive: ${digest} has ${blob.size} bytes, not ${size}`);
  return blob;
}

async function layerOf(
  { layers, unpacks }: Pick<Context, 'layers' | 'unpacks'>,
  blob: StoredBlob,
  lease: Lease,
  signal: AbortSignal,
): Promise<PluginLayer> {
  const here = layers.ofBlob(blob.digest);
  if (here) lease.keepLayer(here.diffId);
  const { diffId } = here ?? (await unpacks.run(() => layers.add({ blob, lease, signal })));
  return { digest: blob.digest, size: blob.size, diffId };
}

const pathOf = ({ digest }: Pick<Descriptor, 'digest'>): string => `blobs/sha256/${digest.slice('sha256:'.length)}`;
