import type { ImageDeleteItem } from '@cleat/protocol/api/image';
import { conflict, isClass, messageOf } from '@cleat/protocol/errors';
import { canonical } from '../content/references.js';
import type { Filters } from '../events/service.js';
import { booleanFilter, checkFilters, excludesLabels, matchLabels, untilFilter, untilOfImages } from '../filters.js';
import { chainIds } from '../layers/layers.js';
import type { Image } from './catalog.js';
import type { Context } from './context.js';
import { remove } from './remove.js';

const running = new WeakSet<Context>();

/**
 * `POST /images/prune`: removes images without a tag that no container uses; with `dangling=false` all that no
 * container uses.
 * @throws InvalidParameter for a filter that it does not know, Conflict while another prune runs
 */
export async function prune(
  context: Context,
  filters: Filters,
): Promise<{ ImagesDeleted: ImageDeleteItem[]; SpaceReclaimed: number }> {
  checkFilters(filters, ['dangling', 'label', 'label!', 'until']);
  const danglingOnly = booleanFilter(filters, 'dangling', true);
  const until = untilFilter(filters, untilOfImages);
  if (running.has(context)) throw conflict('a prune operation is already running');
  running.add(context);
  try {
    const sizes = chainSizes(context);
    const deleted: ImageDeleteItem[] = [];
    for (const image of context.catalog
      .all()
      .filter((each) => isCandidate(context, each, danglingOnly, until, filters))) {
      deleted.push(...(await pruneOne(context, image, danglingOnly)));
    }
    let reclaimed = 0;
    for (const item of deleted) reclaimed += 'Deleted' in item ? (sizes.get(item.Deleted) ?? 0) : 0;
    context.publishPrune(reclaimed);
    return { ImagesDeleted: deleted, SpaceReclaimed: reclaimed };
  } finally {
    running.delete(context);
  }
}

function isCandidate(
  context: Pick<Context, 'catalog'>,
  image: Image,
  danglingOnly: boolean,
  until: bigint | undefined,
  filters: Filters,
): boolean {
  if (context.catalog.isCompanion(image.id)) return false;
  const hasChildren = context.catalog.children(image.id).length > 0;
  if (hasChildren && (danglingOnly || context.catalog.references(image.id).length === 0)) return false;
  if (until !== undefined) {
    const created = Date.parse(image.config.created ?? '');
    if (Number.isNaN(created) || BigInt(created) * 1_000_000n > until) return false;
  }
  const labels = image.config.config?.Labels;
  return matchLabels(filters, labels) && excludesLabels(filters, labels);
}

async function pruneOne(context: Context, image: Image, danglingOnly: boolean): Promise<ImageDeleteItem[]> {
  const references = context.catalog.references(image.id);
  if (danglingOnly && references.some((reference) => !reference.digest)) return [];
  const names = references.length > 0 ? references.map(canonical) : [image.id];
  const deleted: ImageDeleteItem[] = [];
  for (const name of names) {
    try {
      deleted.push(...(await remove(context, name, { force: false, noPrune: false })));
    } catch (error) {
      // In use, or gone with the reference before.
      if (isClass(error, 'Conflict') || isClass(error, 'NotFound')) continue;
      context.log.warn(`an image could not be pruned: ${messageOf(error)}`, { image: name });
    }
  }
  return deleted;
}

function chainSizes(context: Pick<Context, 'catalog' | 'layers'>): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { config } of context.catalog.all()) {
    const { diff_ids: diffIds } = config.rootfs;
    chainIds(diffIds).forEach((chain, at) => {
      sizes.set(chain, context.layers.get(diffIds[at] ?? '')?.size ?? 0);
    });
  }
  return sizes;
}
