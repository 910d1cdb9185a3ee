import { invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { isDigest } from '../../content/references.js';
import { type Descriptor, mediaType, parseDescriptor } from '../../distribution/manifest.js';

/**
 * A cache as an artifact: an OCI image manifest whose configuration says which steps there are, in the words of their
 * builder, and which layers they made. Each layer is a blob of its own.
 */
export const cacheConfigType = 'application/vnd.cleat.build.cache.config.v1+json';

const layerTypes = {
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  uncompressed: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** More layers than that nobody needs to look through. */
const maxLayers = 10_000;

export interface CacheDocument {
  /** The builder's words. */
  readonly text: string;
  /** Blobs by the diff IDs of their layers. */
  readonly layers: ReadonlyMap<string, Descriptor>;
}

export interface WrittenLayer {
  readonly diffId: string;
  readonly digest: string;
  readonly size: number;
}

export function configOf(text: string, layers: readonly WrittenLayer[]): Buffer {
  const listed = layers.map(({ diffId, digest }) => ({ diffId, digest }));
  return Buffer.from(JSON.stringify({ v: 1, layers: listed, cache: text }));
}

export function manifestOf(
  config: { digest: string; size: number },
  layers: readonly WrittenLayer[],
  compression: keyof typeof layerTypes,
): Buffer {
  const distinct = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: cacheConfigType, ...config },
    layers: distinct.map(({ digest, size }) => ({ mediaType: layerTypes[compression], digest, size })),
  };
  return Buffer.from(JSON.stringify(manifest, undefined, 2));
}

/** A manifest as far as its kind. @throws InvalidParameter for what is none, or of another program */
export function readCacheManifest(
  text: string,
): { kind: 'cache'; config: Descriptor; layers: Descriptor[] } | { kind: 'other' } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw invalidParameter('unsupported manifest format', { cause });
  }
  if (!isRecord(parsed)) throw invalidParameter('unsupported manifest format');
  if (!isRecord(parsed.config)) {
    const list = Array.isArray(parsed.manifests) ? parsed.manifests : [];
    if (list.some((one) => isRecord(one) && isBuildKits(one.mediaType))) throw foreign();
    return { kind: 'other' };
  }
  if (isBuildKits(parsed.config.mediaType)) throw foreign();
  if (parsed.config.mediaType !== cacheConfigType) return { kind: 'other' };
  const layers = Array.isArray(parsed.layers) ? parsed.layers : [];
  if (layers.length > maxLayers) throw invalidParameter(`a cache has no more than ${maxLayers} layers`);
  return { kind: 'cache', config: parseDescriptor(parsed.config), layers: layers.map(parseDescriptor) };
}

const isBuildKits = (type: unknown): boolean =>
  typeof type === 'string' && type.startsWith('application/vnd.buildkit.cacheconfig');

const foreign = () =>
  invalidParameter(
    'the cache was written by BuildKit, which describes steps in another way: write one with this engine',
  );

/** @throws InvalidParameter for what is malformed, or names a layer that the manifest does not */
export function readCacheConfig(raw: string, blobs: readonly Descriptor[]): CacheDocument {
  let parsed: unknown;
  try {
    parsed = JSON.parse(raw);
  } catch (cause) {
    throw invalidParameter('the cache has a configuration that is not JSON', { cause });
  }
  if (!isRecord(parsed) || parsed.v !== 1 || typeof parsed.cache !== 'string' || !Array.isArray(parsed.layers)) {
    throw invalidParameter('the cache is of another version');
  }
  const byDigest = new Map(blobs.map((blob) => [blob.digest, blob]));
  const layers = new Map<string, Descriptor>();
  for (const one of parsed.layers) {
    const { diffId, digest } = isRecord(one) ? one : {};
    const blob = typeof digest === 'string' ? byDigest.get(digest) : undefined;
    if (typeof diffId !== 'string' || !isDigest(diffId) || !blob) {
      throw invalidParameter('the cache names a layer that it does not have');
    }
    layers.set(diffId, blob);
  }
  return { text: parsed.cache, layers };
}
