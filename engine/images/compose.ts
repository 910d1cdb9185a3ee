import type { Readable } from 'node:stream';
import { emptyTar } from './commit.js';
import { refuseTooDeep } from './config.js';
import type { Context } from './context.js';
import type { Composed, ComposeOptions, ImageOrigin } from './service.js';

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
      const { os = 'linux', architecture = '' } = below?.config ?? {};
      const raw = { architecture, os, created: noTime, config: {}, rootfs: { type: 'layers', diff_ids: diffIds } };
      const image = context.create(JSON.stringify(raw), below?.id);
      return { Id: image.id, Layers: diffIds };
    });
  } finally {
    tar.destroy();
  }
}

/** Where an image's configuration holds the steps that made it, as its builder wrote them. */
const cacheKey = 'io.cleat.build.cache.v1';

/** How an image came to be, for builders. @throws NotFound */
export function originOf({ catalog }: Pick<Context, 'catalog'>, ref: string): ImageOrigin {
  const { record, config } = catalog.find(ref);
  const raw: unknown = JSON.parse(record.raw);
  const found = typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>)[cacheKey] : undefined;
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
      ...(options.cache && { [cacheKey]: options.cache }),
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
