import { dataLoss, invalidParameter, isClass, messageOf, notFound } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';
import { digestOf } from '../../content/blobs.js';
import { hostPlatform, parsePlatform } from '../../content/platform.js';
import { isDigest, parseReference, withDefaultTag } from '../../content/references.js';
import { chooseManifest, type Descriptor, mediaType, parseManifest } from '../../distribution/manifest.js';
import type { Distribution } from '../../distribution/service.js';
import { inlineCacheKey } from '../../images/compose.js';
import type { ImageHost, Images, LayerSource } from '../../images/service.js';
import type { BuildOrder, BuildResult, OpenedCache } from '../service.js';
import { type CacheDocument, configOf, manifestOf, readCacheConfig, readCacheManifest } from './artifact.js';
import { authFor } from './auth.js';
import { type CachePlace, clientPlace, type PlaceWriter, registryPlace, toClient, toRegistry } from './places.js';
import { type CacheSource, type CacheTarget, cacheSource, cacheTarget } from './spec.js';

export interface CachesDeps {
  readonly distribution: Distribution;
  /** The builder's view. */
  readonly images: Images & Pick<ImageHost, 'pushLayers' | 'withLayers'>;
}

type Written = BuildResult['caches'][number];

interface Opened {
  readonly answer: OpenedCache;
  readonly place: CachePlace | undefined;
  readonly layers: ReadonlyMap<string, Descriptor>;
}

/**
 * Caches that one build reads and writes. Nothing that comes is believed: each blob is compared with the digest that
 * names it, and each layer with the digest of its content. Which step a layer is the result of is the cache's own word: it
 * counts only in builds that name that cache.
 */
export class BuildCaches {
  readonly #deps: CachesDeps;
  readonly #order: Pick<BuildOrder, 'RegistryAuth' | 'Platform' | 'clientStore'>;
  readonly #sources: readonly CacheSource[];
  readonly #targets: readonly CacheTarget[];
  readonly #opened = new Map<number, Promise<Opened>>();
  /** Manifests that were written. */
  readonly written: Written[] = [];

  /** @throws InvalidParameter, NotImplemented for what is not done */
  constructor(
    deps: CachesDeps,
    order: Pick<BuildRequest, 'CacheFrom' | 'CacheFromOnly' | 'CacheTo' | 'RegistryAuth' | 'Platform'> &
      Pick<BuildOrder, 'clientStore'>,
    readonly signal: AbortSignal,
  ) {
    this.#deps = deps;
    this.#order = order;
    // Images that are here, which the builder knows by itself.
    this.#sources = order.CacheFromOnly ? [] : (order.CacheFrom ?? []).map(cacheSource);
    this.#targets = (order.CacheTo ?? []).map(cacheTarget);
    const isLocal = [...this.#sources, ...this.#targets].some(({ type }) => type === 'local');
    if (isLocal && !order.clientStore) {
      throw invalidParameter('a cache in a directory of the client needs a client of BuildKit: docker buildx build');
    }
  }

  /** Looks at a cache. @throws NotFound, DataLoss, InvalidParameter, the registry's errors */
  async open(index: number): Promise<OpenedCache> {
    return (await this.#open(index)).answer;
  }

  /** A layer of a cache, not fetched yet. @throws NotFound when the cache has none of that content */
  async layer(index: number, diffId: string): Promise<LayerSource> {
    const { place, layers } = await this.#open(index);
    const blob = layers.get(diffId);
    return {
      diffId,
      fetch: async (to) => {
        if (!place || !blob) throw notFound(`the cache has no layer ${diffId}`);
        return await place.fetch(blob, to, this.signal);
      },
    };
  }

  /** @param text what the builder says of the steps @param diffIds layers that go with it */
  async write(index: number, text: string, diffIds: readonly string[]): Promise<Written> {
    const target = this.#targets[index];
    if (!target || target.type === 'inline') throw notFound(`the build writes no cache ${index}`);
    const work = async (writer: PlaceWriter): Promise<Written> => {
      const layers = await writer.layers(diffIds, target.compression);
      const config = await writer.small(configOf(text, layers));
      const manifest = manifestOf(config, layers, target.compression);
      await writer.manifest(manifest);
      return { mediaType: mediaType.ociManifest, digest: digestOf(manifest), size: manifest.length };
    };
    const { images } = this.#deps;
    const written =
      target.type === 'local'
        ? await work(toClient(this.#storeOf(target.dest), images, this.signal))
        : await toRegistry(this.#registry(target.ref), images, this.signal, work);
    this.written.push(written);
    return written;
  }

  #open(index: number): Promise<Opened> {
    let opening = this.#opened.get(index);
    if (!opening) {
      opening = this.#look(index);
      this.#opened.set(index, opening);
      opening.catch(() => {}); // The caller is told.
    }
    return opening;
  }

  async #look(index: number): Promise<Opened> {
    const source = this.#sources[index];
    if (!source) throw notFound(`the build reads no cache ${index}`);
    if (source.type === 'registry') {
      const local = await this.#localImage(source.ref);
      if (local) return local;
    } else if (!isDigest(source.digest)) throw invalidParameter(`invalid digest ${JSON.stringify(source.digest)}`);
    const place =
      source.type === 'local'
        ? clientPlace(this.#storeOf(source.src), source.digest)
        : registryPlace(this.#registry(source.ref));
    const { digest, document } = await this.#read(place);
    const { text, layers } = document;
    return { answer: { Digest: digest, Cache: text, Layers: [...layers.keys()] }, place, layers };
  }

  /** An image that is here, and has brought the steps that made it. */
  async #localImage(ref: string): Promise<Opened | undefined> {
    const { images } = this.#deps;
    try {
      const { Cache } = await images.origin(ref);
      if (Cache === '') return undefined;
      const { Id, RootFS } = await images.inspect(ref);
      return { answer: { Digest: Id, Cache, Layers: RootFS.Layers ?? [] }, place: undefined, layers: new Map() };
    } catch (error) {
      if (isClass(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #read(place: CachePlace): Promise<{ digest: string; document: CacheDocument }> {
    const manifest = await place.manifest(this.signal);
    const found = readCacheManifest(manifest.text);
    if (found.kind === 'other') return { digest: manifest.digest, document: await this.#inlineOf(place, manifest) };
    const raw = await place.small(found.config, this.signal);
    return { digest: manifest.digest, document: readCacheConfig(raw, found.layers) };
  }

  /** The steps that an image in a registry has brought along. */
  async #inlineOf(place: CachePlace, given: { text: string; contentType: string }): Promise<CacheDocument> {
    let { text, contentType } = given;
    let manifest = parseManifest(text, contentType, 'the cache');
    if (manifest.kind === 'list') {
      const { Platform } = this.#order;
      const chosen = chooseManifest(manifest, Platform ? parsePlatform(Platform) : hostPlatform());
      if (!chosen) throw notFound('the image has no cache for this platform');
      ({ text, contentType } = await place.manifestAt(chosen.digest, this.signal));
      manifest = parseManifest(text, contentType, 'the cache');
    }
    if (manifest.kind !== 'image') throw invalidParameter('unsupported manifest format');
    const config = jsonOf(await place.small(manifest.config, this.signal));
    const cache = config[inlineCacheKey];
    if (typeof cache !== 'string') {
      throw notFound('the image has brought no cache: build it with --cache-to type=inline');
    }
    const diffIds = isRecord(config.rootfs) && Array.isArray(config.rootfs.diff_ids) ? config.rootfs.diff_ids : [];
    if (diffIds.length !== manifest.layers.length)
      throw dataLoss("layers from manifest don't match image configuration");
    const blobs = manifest.layers;
    const layers = diffIds.flatMap((diffId: unknown, at): [string, Descriptor][] => {
      const blob = blobs[at];
      return typeof diffId === 'string' && isDigest(diffId) && blob ? [[diffId, blob]] : [];
    });
    return { text: cache, layers: new Map(layers) };
  }

  #registry(ref: string) {
    const reference = withDefaultTag(parseReference(ref));
    const { distribution } = this.#deps;
    return { distribution, reference, auth: authFor(reference.domain, this.#order.RegistryAuth) };
  }

  #storeOf(directory: string) {
    const store = this.#order.clientStore?.(directory);
    if (!store) throw invalidParameter(`the client has no directory ${directory} for a cache`);
    return store;
  }
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (isRecord(parsed)) return parsed;
  } catch (error) {
    throw invalidParameter(`the configuration of the image is not JSON: ${messageOf(error)}`);
  }
  throw invalidParameter('the configuration of the image is no object');
}
