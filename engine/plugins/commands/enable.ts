import { CleatError, conflict, invalidParameter, messageOf } from '@cleat/protocol/errors';
import { digestOf } from '../../content/blobs.js';
import { type Context, change, publish } from '../context.js';
import type { PluginRecord } from '../record.js';
import type { Plugin } from '../registry.js';
import { checkHost } from '../sandbox/check-host.js';

/**
 * Runs a plugin, and waits until it answers. If it does not, it is stopped and stays disabled; after an upgrade, the
 * package before it comes back and is run.
 * @throws Conflict `plugin already enabled: …`; Unavailable with the reason, and the plugin's last lines
 */
export async function enable(context: Context, called: string, timeout: number): Promise<void> {
  await change(context, called, async (plugin) => {
    if (plugin.record.enabled) throw conflict(`plugin already enabled: plugin ${plugin.record.name} is enabled`);
    const wanted = { ...plugin.record, timeout };
    try {
      await run(context, wanted);
    } catch (error) {
      if (!plugin.record.previous) throw error;
      throw await goneBack(context, wanted, error);
    } finally {
      announce(context, called, plugin);
    }
  });
}

/** @throws as {@link enable}; then it does not run */
async function run(context: Context, record: PluginRecord): Promise<void> {
  const { registry, running } = context;
  const plugin = registry.put({ ...record, enabled: true });
  try {
    await refuseMissing(context, plugin);
    running.begin(plugin);
    await running.answered(plugin);
  } catch (error) {
    await running.end(plugin, 'it could not be enabled');
    registry.put({ ...record, enabled: false });
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

/**
 * Goes back to the package before an upgrade, and runs it.
 * @returns the error that tells of it
 */
export async function goneBack(context: Context, record: PluginRecord, cause: unknown): Promise<Error> {
  const { name, previous } = record;
  if (!previous) return cause instanceof Error ? cause : new Error(messageOf(cause));
  const failed = digestOf(record.package.artifact);
  const former = restored(record);
  const back = digestOf(former.package.artifact);
  const doomed = record.package.layers;
  let outcome = 'which runs again';
  try {
    await run(context, former);
  } catch (error) {
    outcome = `which does not start either: ${messageOf(error)}`;
  }
  await context.layers.collect(doomed.map(({ diffId }) => diffId));
  await context.content.collect(doomed.map(({ digest }) => digest));
  context.log.error('an upgrade of a plugin was taken back', { plugin: name, upgrade: failed, back });
  const errorClass = cause instanceof CleatError ? cause.class : 'System';
  const [why = '', ...output] = messageOf(cause).split('\n');
  const told = `${why}; the upgrade of plugin ${name} to ${failed} was rolled back to ${back}, ${outcome}`;
  return new CleatError(errorClass, [told, ...output].join('\n'), { cause });
}

/** As it was before its upgrade. */
function restored(record: PluginRecord): PluginRecord {
  const { previous, ...rest } = record;
  return previous ? { ...rest, ...previous } : record;
}

/** Enabled by now, be it after going back. */
function announce(context: Context, called: string, { id }: Plugin): void {
  if (context.registry.get(id)?.record.enabled) publish(context, 'enable', id, called);
}
