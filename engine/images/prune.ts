import type { ImageDeleteItem } from '@cleat/protocol/api/image';
import { conflict, isClass, messageOf } from '@cleat/protocol/errors';
import { canonical } from '../content/references.js';
import type { Filters } from '../events/service.js';
import { booleanFilter, checkFilters, excludesLabels, matchLabels, untilFilter } from '../filters.js';
import { chainIds } from '../layers/layers.js';
import type { Image } from './catalog.js';
import { remove } from './remove.js';
import type { Room } from './room.js';

const running = new WeakSet<Room>();

/**
 * `POST /images/prune`: removes images without a tag that no container uses; with `dangling=false` all that no
 * container uses.
 * @throws InvalidParameter for a filter that it does not know, Conflict while another prune runs
 */
export async function prune(
  room: Room,
  filters: Filters,
): Promise<{ ImagesDeleted: ImageDeleteItem[]; SpaceReclaimed: number }> {
  checkFilters(filters, ['dangling', 'label', 'label!', 'until']);
  const danglingOnly = booleanFilter(filters, 'dangling', true);
  const until = untilFilter(filters);
  if (running.has(room)) throw conflict('a prune operation is already running');
  running.add(room);
  try {
    const sizes = chainSizes(room);
    const deleted: ImageDeleteItem[] = [];
    for (const image of room.catalog.all().filter((each) => isCandidate(room, each, danglingOnly, until, filters))) {
      deleted.push(...(await pruneOne(room, image, danglingOnly)));
    }
    let reclaimed = 0;
    for (const item of deleted) reclaimed += 'Deleted' in item ? (sizes.get(item.Deleted) ?? 0) : 0;
    room.publishPrune(reclaimed);
    return { ImagesDeleted: deleted, SpaceReclaimed: reclaimed };
  } finally {
    running.delete(room);
  }
}

function isCandidate(
  room: Room,
  image: Image,
  danglingOnly: boolean,
  until: bigint | undefined,
  filters: Filters,
): boolean {
  const hasChildren = room.catalog.children(image.id).length > 0;
  if (hasChildren && (danglingOnly || room.catalog.references(image.id).length === 0)) return false;
  if (until !== undefined) {
    const created = Date.parse(image.config.created ?? '');
    if (Number.isNaN(created) || BigInt(created) * 1_000_000n > until) return false;
  }
  const labels = image.config.config?.Labels;
  return matchLabels(filters, labels) && excludesLabels(filters, labels);
}

async function pruneOne(room: Room, image: Image, danglingOnly: boolean): Promise<ImageDeleteItem[]> {
  const references = room.catalog.references(image.id);
  if (danglingOnly && references.some((reference) => !reference.digest)) return [];
  const names = references.length > 0 ? references.map(canonical) : [image.id];
  const deleted: ImageDeleteItem[] = [];
  for (const name of names) {
    try {
      deleted.push(...(await remove(room, name, { force: false, noPrune: false })));
    } catch (error) {
      // In use, or gone with the reference before.
      if (isClass(error, 'Conflict') || isClass(error, 'NotFound')) continue;
      room.log.warn(`an image could not be pruned: ${messageOf(error)}`, { image: name });
    }
  }
  return deleted;
}

function chainSizes(room: Room): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { config } of room.catalog.all()) {
    const { diff_ids: diffIds } = config.rootfs;
    chainIds(diffIds).forEach((chain, at) => {
      sizes.set(chain, room.layers.get(diffIds[at] ?? '')?.size ?? 0);
    });
  }
  return sizes;
}
