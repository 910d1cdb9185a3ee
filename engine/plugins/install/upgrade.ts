import type { Progress } from '@cleat/protocol/api/image';
import { conflict } from '@cleat/protocol/errors';
import { carriedOver } from '@cleat/protocol/plugins/settings';
import { type Emit, progressOf } from '../../async/progress.js';
import { familiar, type Reference } from '../../content/references.js';
import { goneBack } from '../commands/go-back.js';
import { settle } from '../commands/run.js';
import { type Context, change, publish } from '../context.js';
import { parseRemote } from '../names.js';
import type { PluginRecord } from '../record.js';
import type { Plugin } from '../registry.js';
import type { PullPluginOptions } from '../service.js';
import { fetchArtifact, fromRegistry } from './artifact.js';
import { checkUpgradeGrant, privilegesText } from './grant.js';
import { pullLayers } from './layers.js';
import { begin, packageOf } from './pull.js';
import { checkRequirements } from './requirements.js';

/** How long calls under way have when a plugin is replaced while it runs, in ms. */
const drainMs = 30_000;

/**
 * `POST /plugins/{name}/upgrade`: another package under the same name, with the ID, the settings and the data of the
 * present one. The package before stays until the new one has answered: if it does not, that is run again.
 * @throws Conflict `plugin must be disabled before upgrading: …`, and while containers use it, unless its manifest says that
 * it may be drained; otherwise as a pull does
 */
export function upgrade(context: Context, options: PullPluginOptions): AsyncIterable<Progress> {
  return progressOf(async (emit, signal) => {
    const { reference } = parseRemote(options.remote);
    await change(context, options.name, async (plugin) => {
      refuseUse(context, plugin);
      const next = await fetched(context, plugin, reference, options, emit, signal);
      publish(context, 'pull', familiar(reference), plugin.record.name);
      if (plugin.record.enabled) await replace(context, next);
    });
  }, options.signal);
}

function refuseUse({ usage }: Pick<Context, 'usage'>, { record, manifest }: Plugin): void {
  if (manifest.Cleat?.UpgradeInUse === 'drain') return;
  const { name } = record;
  if (record.enabled) throw conflict(`plugin must be disabled before upgrading: plugin ${name} is enabled`);
  const users = usage(name).filter(({ containers }) => containers.length > 0);
  if (users.length === 0) return;
  const list = users.map(({ what, containers }) => `${what} (${containers.join(', ')})`).join(', ');
  throw conflict(`plugin ${name} is in use: stop the containers that use it before upgrading: ${list}`);
}

/** Puts the new package in the place of the present one, which is kept. */
async function fetched(
  context: Context,
  { record, manifest }: Plugin,
  reference: Reference,
  { auth, privileges }: PullPluginOptions,
  emit: Emit,
  outer: AbortSignal,
): Promise<PluginRecord> {
  return await fromRegistry(context, { reference, auth, signal: outer }, async (client) => {
    const artifact = await fetchArtifact(context, client, reference, outer);
    const settings = carriedOver(manifest, record.settings, artifact.manifest);
    const present = { manifest, settings: record.settings };
    const added = checkUpgradeGrant(present, { manifest: artifact.manifest, settings }, privileges);
    const warnings = await checkRequirements(context, artifact.manifest, settings);
    begin(emit, artifact);
    emit({ status: added.length > 0 ? `New privileges: ${privilegesText(added)}` : 'No new privileges' });
    for (const warning of warnings) emit({ status: `WARNING: ${warning}` });
    return await context.layers.withLease(async (lease) => {
      const layers = await pullLayers({ context, client, artifact, lease, emit, signal: outer });
      outer.throwIfAborted();
      // After several upgrades without a start in between, the package that last answered is the one to go back to.
      const before = record.previous ?? { package: record.package, settings: record.settings };
      const isSame = before.package.artifact === artifact.text;
      const { previous: _, ...kept } = record;
      const next = {
        ...kept,
        settings,
        package: packageOf(artifact, layers),
        ...(!isSame && { previous: before }),
      };
      context.registry.put(next);
      artifact.installed();
      // A package that was never started is not gone back to.
      if (record.previous)
        for (const { diffId, digest } of record.package.layers) {
          lease.keepLayer(diffId);
          lease.keepBlob(digest);
        }
      return next;
    });
  });
}

/** While it runs: new calls wait for the new one, those under way have some time. */
async function replace(context: Context, record: PluginRecord): Promise<void> {
  const plugin = context.registry.find(record.id);
  try {
    await context.running.replace(plugin, drainMs);
    await context.running.answered(plugin);
  } catch (error) {
    if (context.closing.aborted) throw error;
    await context.running.end(plugin, 'its upgrade is taken back');
    throw await goneBack(context, record, error);
  }
  await settle(context, plugin);
}
