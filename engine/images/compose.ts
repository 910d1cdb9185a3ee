import type { Readable } from 'node:stream';
import { dataLoss } from '@cleat/protocol/errors';
import type { Image } from './catalog.js';
import { emptyTar } from './commit.js';
import { refuseTooDeep } from './config.js';
import type { Context } from './context.js';
import type { Composed, ComposeOptions, ImageOrigin, LayerArchive, LayerSource } from './service.js';

/** Records that are nothing but layers have all the same time, so that the same layers are the same record. */
const noTime = '1970-01-01T00:00:00Z';

/** @throws NotFound for the parent; whatever the tar's unpacking throws */
export async function addLayer(context: Context, parent: string, tar: Readable): Promise<Composed> {
  try {
    const below = parent === '' ? undefined : context.catalog.find(parent);
    return await context.layers.withLease(async (lease) => {
      const diffIds = [...(below?.config.rootfs.diff_ids ?? [])];
      refuseTooDeep(diffIds.length + 1);
      for (const diffId of diffIds) lease.keepLayer(diffId);
      const blob = await context.content.store(tar, lease);
      const { diffId } = await context.layers.add({ blob, lease });
      if (diffId !== emptyTar) diffIds.push(diffId);
      return recordOf(context, diffIds, below);
    });
  } finally {
    tar.destroy();
  }
}

/** One more layer, of a content that is known before: it is fetched unless it is here. @throws DataLoss for another content */
export async function addKnownLayer(context: Context, parent: string, source: LayerSource): Promise<Composed> {
  const below = parent === '' ? undefined : context.catalog.find(parent);
  return await context.layers.withLease(async (lease) => {
    const diffIds = [...(below?.config.rootfs.diff_ids ?? []), source.diffId];
    refuseTooDeep(diffIds.length);
    for (const diffId of diffIds) lease.keepLayer(diffId);
    if (!context.layers.get(source.diffId)) {
      const blob = await source.fetch({ content: context.content, lease });
      await context.unpacks.run(() => context.layers.add({ blob, lease, diffId: source.diffId, isSpent: true }));
    }
    return recordOf(context, diffIds, below);
  });
}

/** An image that is nothing but layers. */
function recordOf(context: Pick<Context, 'create'>, diffIds: string[], below: Image | undefined): Composed {
  const { os = 'linux', architecture = '' } = below?.config ?? {};
  const raw = { architecture, os, created: noTime, config: {}, rootfs: { type: 'layers', diff_ids: diffIds } };
  const image = context.create(JSON.stringify(raw), below?.id);
  return { Id: image.id, Layers: diffIds };
}

/** Layers that are here, as archives, for as long as `work` needs them. @throws DataLoss for one that is not here */
export async function withLayers<T>(
  { layers }: Pick<Context, 'layers'>,
  diffIds: readonly string[],
  work: (archives: readonly LayerArchive[]) => Promise<T>,
): Promise<T> {
  return await layers.withLease(async (lease) => {
    for (const diffId of diffIds) lease.keepLayer(diffId);
    const archives = diffIds.map((diffId): LayerArchive => {
      const layer = layers.get(diffId);
      if (!layer) throw dataLoss(`layer ${diffId} is missing`);
      lease.keepBlob(layer.blob.digest);
      return { diffId, size: layer.tarSize, open: () => layers.archive(layer) };
    });
    return await work(archives);
  });
}

/** Where an image's configuration holds the steps that made it, as its builder wrote them. */
export const inlineCacheKey = 'io.cleat.build.cache.v1';

/** How an image came to be, for builders. @throws NotFound */
export function originOf({ catalog }: Pick<Context, 'catalog'>, ref: string): ImageOrigin {
  const { record, config } = catalog.find(ref);
  const raw: unknown = JSON.parse(record.raw);
  const found = typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>)[inlineCacheKey] : undefined;
  return { Cache: typeof found === 'string' ? found : '', History: config.history ?? [] };
}

/** @throws NotFound for parent and base, InvalidParameter for a configuration or history that cannot be */
export async function compose(context: Context, options: ComposeOptions): Promise<Composed> {
  const find = (id: string) => (id === '' ? undefined : context.catalog.find(id));
  const below = find(options.parent);
  const base = find(options.base)?.config;
  const { created, author, platform } = options;
  const diffIds = (below?.config.rootfs.diff_ids ?? []).slice(0, options.depth);
  return await context.layers.withLease(async (lease) => {
    for (const diffId of diffIds) lease.keepLayer(diffId);
    const { variant = base?.variant } = platform ?? {};
    const by = author ?? base?.author;
    const raw = {
      architecture: platform?.architecture ?? base?.architecture ?? '',
      ...(variant && { variant }),
      ...(by && { author: by }),
      config: options.config,
      ...(options.cache && { [inlineCacheKey]: options.cache }),
      created,
      history: [...(base?.history ?? []), ...options.history],
      os: platform?.os ?? base?.os ?? 'linux',
      ...(base?.['os.version'] && { 'os.version': base['os.version'] }),
      rootfs: { type: 'layers', diff_ids: diffIds },
    };
    const image = context.create(JSON.stringify(raw), below?.id);
    return { Id: image.id, Layers: [...diffIds] };
  });
}
