import { isAbsolute } from 'node:path';
import type { Extensions } from '@cleat/extensions/service';
import { messageOf } from '@cleat/protocol/errors';
import { builderKind } from '@cleat/protocol/kinds/builder';
import type { Logger } from '@cleat/protocol/log';

/**
 * The socket of the BuildKit that a builder names. Of a builder that does not answer nothing is known: then the engine
 * serves its clients itself, and their builds say what is wrong.
 */
export async function buildkitOf(
  { extensions, log }: { readonly extensions: Extensions; readonly log: Logger },
  builder: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!extensions.names(builderKind).includes(builder)) return undefined;
  try {
    const client = await extensions.get(builderKind, builder, { signal });
    const path = (await client.Capabilities({}, { signal }))?.BuildKit;
    if (path === undefined || path === '') return undefined;
    if (isAbsolute(path)) return path;
    log.warn(`builder "${builder}" names a BuildKit by a path that is not absolute`, { path });
  } catch (error) {
    log.warn(`builder "${builder}" does not say what it can do: ${messageOf(error)}`);
  }
  return undefined;
}
