import type { Progress } from '@cleat/protocol/api/image';
import { forbidden, invalidParameter, notFound, systemError, unauthorized } from '@cleat/protocol/errors';
import { flow } from '../async/flow.js';
import { bar, type Emit, progressOf } from '../async/progress.js';
import { formatPlatform, hostPlatform, parsePlatform } from '../content/platform.js';
import { familiar, referenceOf, refuseReserved } from '../content/references.js';
import { withoutCredentials } from '../distribution/proxy.js';
import { goTime, nowNanos } from '../time.js';
import { applyChanges } from './changes/index.js';
import type { Context } from './context.js';
import type { ImportOptions } from './service.js';

/**
 * `POST /images/create?fromSrc=`: an image of one layer, made from a tar (compressed or not) that the client sends, or that
 * lies on a web server. The last line is its ID.
 * @throws InvalidParameter, Forbidden for a reserved name, and what a web server answers, before the first line
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
      const { source } = options;
      const from = typeof source === 'string' ? withoutCredentials(source) : '-';
      const message = options.message || `Imported from ${from}`;
      const bytes = typeof source === 'string' ? downloaded(source, emit, signal) : flow(source);
      const blob = await context.content.store(bytes, lease, { signal });
      const layer = await context.layers.add({ blob, lease, signal, isSpent: true });
      const created = goTime(nowNanos());
      const image = context.create(
        JSON.stringify({
          architecture: platform.architecture,
          ...(platform.variant !== undefined && { variant: platform.variant }),
          comment: message,
          config,
          created,
          history: [{ created, comment: message }],
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

/** The file of a URL, with the lines that Docker writes. */
async function* downloaded(url: string, emit: Emit, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  const { openPage } = await import('../distribution/page.js');
  using page = await openPage(url, signal);
  const { answer } = page;
  const shown = withoutCredentials(url);
  if (answer.status >= 400) {
    const { statusText } = await import('../distribution/wording.js');
    throw refusalOf(answer.status)(`failed to GET ${shown} with status ${statusText(answer.status)}`);
  }
  emit({ status: `Downloading from ${shown}` });
  const progress = bar(emit, '', 'Importing', answer.length ?? 0);
  let bytes = 0;
  for await (const chunk of answer.body()) {
    bytes += chunk.length;
    progress(bytes);
    yield chunk;
  }
}

function refusalOf(status: number): (message: string) => Error {
  const known: Record<number, (message: string) => Error> = {
    400: invalidParameter,
    401: unauthorized,
    403: forbidden,
    404: notFound,
  };
  return known[status] ?? systemError;
}
