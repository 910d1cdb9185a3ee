import type { Progress } from '@cleat/protocol/api/image';
import { invalidParameter } from '@cleat/protocol/errors';
import { flow } from '../async/flow.js';
import { progressOf } from '../async/progress.js';
import { formatPlatform, hostPlatform, parsePlatform } from '../content/platform.js';
import { familiar, referenceOf, refuseReserved } from '../content/references.js';
import { goTime, nowNanos } from '../time.js';
import { applyChanges } from './changes/index.js';
import type { Context } from './context.js';
import type { ImportOptions } from './service.js';

/**
 * `POST /images/create?fromSrc=`: an image of one layer, made from a tar (compressed or not). The last line is its ID.
 * @throws InvalidParameter, Forbidden for a reserved name, before the first line
 */
export function importImage(context: Context, options: ImportOptions): AsyncIterable<Progress> {
  return progressOf(async (emit, signal) => {
    const reference = options.repository === '' ? undefined : referenceOf(options.repository, options.tag);
    if (reference) refuseReserved(reference);
    const config = applyChanges({}, options.changes);
    const platform = options.platform ? parsePlatform(options.platform) : hostPlatform();
    if (platform.os !== 'linux')
      throw invalidParameter(`operating system is not supported: ${formatPlatform(platform)}`);
    await context.layers.withLease(async (lease) => {
      const blob = await context.content.store(flow(options.source), lease, { signal });
      const layer = await context.layers.add({ blob, lease, signal, isSpent: true });
      const created = goTime(nowNanos());
      const image = context.create(
        JSON.stringify({
          architecture: platform.architecture,
          ...(platform.variant !== undefined && { variant: platform.variant }),
          ...(options.message !== '' && { comment: options.message }),
          config,
          created,
          history: [{ created, ...(options.message !== '' && { comment: options.message }) }],
          os: platform.os,
          rootfs: { type: 'layers', diff_ids: [layer.diffId] },
        }),
      );
      if (reference) {
        context.catalog.tag(reference, image.id);
        context.publish('tag', image.id, familiar(reference));
      }
      context.publish('import', image.id);
      emit({ status: image.id });
    });
  }, options.signal);
}
