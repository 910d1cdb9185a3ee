import { conflict, notFound } from '@cleat/protocol/errors';
import { familiar, parseReference, withDefaultTag } from '../content/references.js';
import type { Context } from './context.js';
import type { BuildRecord } from './service.js';

/** Lists the images of builders that nobody sees until one of them is the result of a build. */
export function buildRecords({ catalog, layers }: Context): BuildRecord[] {
  return catalog.buildRecords().map(({ id, record, config }) => {
    const above = record.parent === undefined ? undefined : catalog.getHeld(record.parent);
    const own = config.rootfs.diff_ids.slice(above?.config.rootfs.diff_ids.length ?? 0);
    return {
      id,
      builder: record.builder ?? '',
      stored: record.stored,
      ...(record.parent && { parent: record.parent }),
      size: own.reduce((sum, diffId) => sum + (layers.get(diffId)?.size ?? 0), 0),
    };
  });
}

/** @throws NotFound when the result of the build is not here; InvalidParameter for a name */
export function publish(
  context: Pick<Context, 'catalog' | 'publish'>,
  id: string,
  references: readonly string[],
): void {
  const known = context.catalog.knownId(id);
  const image = known && context.catalog.getHeld(known);
  if (!image) throw notFound(`No such image: ${id}`);
  if (image.record.removed) throw conflict(`the image ${id} was removed meanwhile`);
  context.catalog.publish(image.id);
  // A stage without steps is its base, which is not new.
  if (image.record.builder !== undefined) context.publish('create', image.id);
  for (const name of references) {
    const reference = withDefaultTag(parseReference(name));
    context.catalog.tag(reference, image.id);
    context.publish('tag', image.id, familiar(reference));
  }
}

/** Removes build records, as long as they may go. What a container uses, or another build record is made of, stays. */
export async function removeRecords(
  context: Context,
  ids: readonly string[],
  mayGo: () => boolean = () => true,
): Promise<string[]> {
  const wanted = new Set(ids);
  const removed: string[] = [];
  for (let isGoing = true; isGoing; ) {
    isGoing = false;
    const records = context.catalog.buildRecords();
    const parents = new Set(records.map(({ record }) => record.parent));
    for (const { id, config } of records) {
      if (!wanted.has(id) || parents.has(id) || context.usage(id).length > 0) continue;
      // While the last one was removed this one may have become an image.
      if (context.catalog.getHeld(id)?.record.builder === undefined || !mayGo()) continue;
      context.catalog.remove(id, false);
      await context.layers.collect(config.rootfs.diff_ids);
      removed.push(id);
      isGoing = true;
    }
  }
  return removed;
}
