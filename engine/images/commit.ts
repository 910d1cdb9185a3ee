import { hostPlatform } from '../content/platform.js';
import { familiar, referenceOf, refuseReserved } from '../content/references.js';
import { goTime, nowNanos } from '../time.js';
import { applyChanges } from './changes/index.js';
import { type HistoryEntry, refuseTooDeep } from './config.js';
import type { Context } from './context.js';
import type { CommitOptions } from './service.js';

/** The diff ID of a tar without entries: such a layer is only a line of history. */
export const emptyTar = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

/**
 * A new image of `layer` on top of `parent`, and how it is called, as users see it. The containers' room publishes the container's `commit` event.
 * @throws NotFound for the parent, InvalidParameter for the name
 */
export async function commit(given: Context, options: CommitOptions): Promise<{ Id: string; reference: string }> {
  const context = options.builder === undefined ? given : given.forBuilder(options.builder);
  const reference = options.repository === '' ? undefined : referenceOf(options.repository, options.tag);
  if (reference) refuseReserved(reference);
  const known = context.catalog.knownId(options.parent);
  const held = known && context.catalog.getHeld(known);
  const parent = options.parent === '' ? undefined : (held ?? context.catalog.find(options.parent));
  const config = applyChanges(options.config, options.changes ?? []);
  return await context.layers.withLease(async (lease) => {
    const diffIds = [...(parent?.config.rootfs.diff_ids ?? [])];
    refuseTooDeep(diffIds.length + (options.layer ? 1 : 0));
    for (const diffId of diffIds) lease.keepLayer(diffId);
    let isEmpty = true;
    if (options.layer) {
      const tar = await options.layer();
      const blob = await context.content.store(tar, lease).finally(() => tar.destroy());
      const layer = await context.layers.add({ blob, lease, isSpent: true });
      isEmpty = layer.diffId === emptyTar;
      if (!isEmpty) diffIds.push(layer.diffId);
    }
    const created = options.created ?? goTime(nowNanos());
    const step: HistoryEntry = {
      created,
      ...(options.createdBy && { created_by: options.createdBy }),
      ...(options.author !== '' && { author: options.author }),
      ...(options.comment !== '' && { comment: options.comment }),
      ...(isEmpty && { empty_layer: true }),
    };
    const platform = hostPlatform();
    const image = context.create(
      JSON.stringify({
        architecture: parent?.config.architecture ?? platform.architecture,
        ...(parent?.config.variant !== undefined && { variant: parent.config.variant }),
        ...(options.author !== '' && { author: options.author }),
        ...(options.comment !== '' && { comment: options.comment }),
        config,
        created,
        history: [...(parent?.config.history ?? []), step],
        os: parent?.config.os ?? platform.os,
        rootfs: { type: 'layers', diff_ids: diffIds },
      }),
      parent && context.catalog.get(parent.id) ? parent.id : undefined,
    );
    context.publish('create', image.id);
    if (reference) {
      context.catalog.tag(reference, image.id);
      context.publish('tag', image.id, familiar(reference));
    }
    return { Id: image.id, reference: reference ? familiar(reference) : '' };
  });
}
