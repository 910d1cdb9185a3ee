import { Readable } from 'node:stream';
import { gzip } from '@cleat/linux/archive/gzip';
import type { RegistryAuth } from '@cleat/protocol/api/image';
import { dataLoss, invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { digestOf, readSmall } from '../../content/blobs.js';
import { type Reference, repositoryOf } from '../../content/references.js';
import type { Content, Lease, StoredBlob } from '../../content/service.js';
import { fetchConfig } from '../../distribution/fetch.js';
import { type Descriptor, mediaType } from '../../distribution/manifest.js';
import type { Distribution } from '../../distribution/service.js';
import type { ImageHost } from '../../images/service.js';
import type { ClientStore } from '../service.js';
import type { WrittenLayer } from './artifact.js';
import type { Compression } from './spec.js';

/** As registries' own limits. */
const maxSmall = 8 * 1024 * 1024;

/** Where a cache lies. What comes from it is compared with its digest, and is not believed before. */
export interface CachePlace {
  manifest(signal: AbortSignal): Promise<{ text: string; contentType: string; digest: string }>;
  /** A manifest of an index. */
  manifestAt(digest: string, signal: AbortSignal): Promise<{ text: string; contentType: string; digest: string }>;
  /** A configuration. @throws DataLoss for other content, InvalidParameter for a large one */
  small(blob: Descriptor, signal: AbortSignal): Promise<string>;
  /** Brings a layer's blob here. @throws DataLoss for other content */
  fetch(
    blob: Descriptor,
    to: { content: Pick<Content, 'store'>; lease: Lease },
    signal: AbortSignal,
  ): Promise<StoredBlob>;
}

export interface PlaceWriter {
  layers(diffIds: readonly string[], compression: Compression): Promise<WrittenLayer[]>;
  small(data: Buffer): Promise<StoredBlob>;
  manifest(data: Buffer): Promise<void>;
}

export interface RegistryPlaceDeps {
  readonly distribution: Distribution;
  readonly reference: Reference;
  readonly auth: RegistryAuth | undefined;
}

export function registryPlace({ distribution, reference, auth }: RegistryPlaceDeps): CachePlace {
  const pull = { reference, access: 'pull' as const, auth };
  const manifestAt = (name: string, signal: AbortSignal) =>
    distribution.connect({ ...pull, signal }, (client) => client.manifest(name, signal));
  return {
    manifest: (signal) => manifestAt(reference.digest ?? reference.tag ?? 'latest', signal),
    manifestAt,
    small: (blob, signal) =>
      distribution.connect({ ...pull, signal }, (client) => fetchConfig(client, blob, 'cache', signal)),
    fetch: (descriptor, { lease }, signal) =>
      distribution.connect({ ...pull, signal }, async (client) => {
        lease.keepBlob(descriptor.digest);
        return await distribution.download({ client, descriptor, signal, onBytes() {}, onWait() {} });
      }),
  };
}

/** Writes to a registry, as long as `work` lasts. */
export async function toRegistry<T>(
  { distribution, reference, auth }: RegistryPlaceDeps,
  images: Pick<ImageHost, 'pushLayers' | 'withLayers'>,
  signal: AbortSignal,
  work: (writer: PlaceWriter) => Promise<T>,
): Promise<T> {
  if (reference.digest !== undefined) throw invalidParameter('a cache is written under a tag, not a digest');
  return await distribution.connect({ reference, access: 'push', auth, signal }, async (client) => {
    const repository = repositoryOf(reference);
    return await work({
      async layers(diffIds, compression) {
        if (compression === 'gzip') {
          const blobs = await images.pushLayers(diffIds, { client, repository, emit() {}, signal });
          return diffIds.flatMap((diffId, at) => (blobs[at] ? [{ diffId, ...blobs[at] }] : []));
        }
        return await images.withLayers(diffIds, async (layers) => {
          for (const { diffId, size, open } of layers) {
            if (await client.hasBlob(diffId, signal)) continue;
            await client.upload(diffId, size, () => owned(Readable.from(open(), { objectMode: false })), signal);
          }
          return layers.map(({ diffId, size }) => ({ diffId, digest: diffId, size }));
        });
      },
      async small(data) {
        const digest = digestOf(data);
        if (!(await client.hasBlob(digest, signal))) {
          await client.upload(digest, data.length, () => owned(Readable.from([data])), signal);
        }
        return { digest, size: data.length };
      },
      manifest: (data) =>
        client.putManifest(reference.tag ?? 'latest', mediaType.ociManifest, data.toString('utf8'), signal),
    });
  });
}

/** @param digest of the manifest */
export function clientPlace(store: ClientStore, digest: string): CachePlace {
  const whole = async (digest: string, what: string, signal: AbortSignal): Promise<string> => {
    const data = await readSmall(store.read(digest, signal), maxSmall, what);
    if (digestOf(data) !== digest) throw dataLoss(`${what} of the cache is not what its digest ${digest} says`);
    return data.toString('utf8');
  };
  const manifestAt = async (digest: string, signal: AbortSignal) => ({
    text: await whole(digest, 'the manifest', signal),
    contentType: '',
    digest,
  });
  return {
    manifest: (signal) => manifestAt(digest, signal),
    manifestAt,
    async small({ digest, size }, signal) {
      if (size > maxSmall) throw invalidParameter(`the cache configuration is larger than ${maxSmall} bytes`);
      return await whole(digest, 'the configuration', signal);
    },
    fetch: ({ digest, size }, { content, lease }, signal) =>
      content.store(store.read(digest, signal), lease, { digest, size, signal }),
  };
}

/** Writes to a directory of the client. */
export function toClient(store: ClientStore, images: Pick<ImageHost, 'withLayers'>, signal: AbortSignal): PlaceWriter {
  async function* one(data: Buffer): AsyncGenerator<Buffer> {
    yield data;
  }
  const small = (data: Buffer) => store.write(one(data), signal);
  return {
    layers: (diffIds, compression) =>
      images.withLayers(diffIds, async (layers) => {
        const written: WrittenLayer[] = [];
        for (const { diffId, open } of layers) {
          const blob = await store.write(compression === 'gzip' ? gzip(open()) : open(), signal);
          written.push({ diffId, ...blob });
        }
        return written;
      }),
    small,
    async manifest(data) {
      await small(data);
    },
  };
}
