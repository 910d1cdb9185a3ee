import { invalidParameter } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import type { PluginRecord } from '../record.js';
import type { Plugin } from '../registry.js';
import { checkHost } from '../sandbox/check-host.js';

/**
 * Runs a plugin, and waits until it answers. Otherwise it is stopped, and on record as disabled unless there is a package to
 * go back to.
 * @throws InvalidParameter, Unavailable with the reason
 */
export async function run(context: Context, record: PluginRecord): Promise<void> {
  const { registry, running } = context;
  const plugin = registry.put({ ...record, enabled: true });
  try {
    await refuseMissing(context, plugin);
    running.begin(plugin);
    await running.answered(plugin);
  } catch (error) {
    // The next engine tries it again: it did not fail by itself.
    if (context.closing.aborted) throw error;
    await running.end(plugin, 'it could not be enabled');
    if (!record.previous) registry.put({ ...record, enabled: false });
    throw error;
  }
  await settle(context, plugin);
}

/** @throws InvalidParameter: it would be tried in vain */
async function refuseMissing({ helper }: Pick<Context, 'helper'>, { record, manifest }: Plugin): Promise<void> {
  const missing = await checkHost(helper, manifest, record.settings);
  if (missing.length > 0) throw invalidParameter(`plugin ${record.name} cannot run: ${missing.join('; ')}`);
}

/** The package that answers is the one to keep; what was before it is let go. */
export async function settle({ registry, layers, content }: Context, { record }: Plugin): Promise<void> {
  const { previous, ...kept } = record;
  if (!previous) return;
  registry.put(kept);
  await layers.collect(previous.package.layers.map(({ diffId }) => diffId));
  await content.collect(previous.package.layers.map(({ digest }) => digest));
}
