import type { Progress } from '@cleat/protocol/api/image';
import type { PluginPrivilege } from '@cleat/protocol/api/plugin';
import { conflict } from '@cleat/protocol/errors';
import { carriedOver } from '@cleat/protocol/plugins/settings';
import { type Emit, progressOf } from '../../async/progress.js';
import { familiar, type Reference } from '../../content/references.js';
import type { Lease } from '../../content/service.js';
import { goneBack } from '../commands/go-back.js';
import { settle } from '../commands/run.js';
import { type Context, change, publish } from '../context.js';
import { parseRemote } from '../names.js';
import type { PluginLayer, PluginRecord } from '../record.js';
import type { Plugin } from '../registry.js';
import type { PullPluginOptions } from '../service.js';
import { type Artifact, fetchArtifact, fromRegistry } from './artifact.js';
import { checkUpgradeGrant, privilegesText } from './grant.js';
import { pullLayers } from './layers.js';
import { begin, packageOf } from './pull.js';
import { checkRequirements } from './requirements.js';

/** How long calls under way have when a plugin is replaced while it runs, in ms. */
const drainMs = 30_000;

/**
 * `POST /plugins/{name}/upgrade`: another package under the same name, with the ID, the settings and the data of the
 * present one. The package before stays until the new one has answered: if it does not, that is run again. While the new one
 * is on its way, the present one may be used, changed and removed: all is checked before, and again after that.
 * @throws Conflict `plugin must be disabled before upgrading: …`, while containers use it, unless its manifest says that
 * it may be drained, and when it was upgraded meanwhile; otherwise as a pull does
 */
export function upgrade(context: Context, options: PullPluginOptions): AsyncIterable<Progress> {
  return progressOf(async (emit, signal) => {
    const { reference } = parseRemote(options.remote);
    const before = context.registry.find(options.name);
    refuseUse(context, before);
    await context.layers.withLease(async (lease) => {
      const arrived = await arrival(context, before, { ...options, reference, signal }, lease, emit);
      await change(context, before.id, async (plugin) => {
        signal.throwIfAborted();
        if (plugin.record.package.artifact !== before.record.package.artifact) {
          throw conflict(`plugin ${plugin.record.name} was upgraded meanwhile: look at it, and try again`);
        }
        refuseUse(context, plugin);
        const next = exchanged(context, plugin, arrived, options, lease);
        publish(context, 'pull', familiar(reference), plugin.record.name);
        if (plugin.record.enabled) await replace(context, next);
        else context.running.unavailable(context.registry.find(plugin.id));
      });
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

interface Arrived {
  readonly artifact: Artifact;
  readonly layers: PluginLayer[];
}

/** Brings the new package here, if it may come. */
async function arrival(
  context: Context,
  present: Plugin,
  { reference, auth, privileges, signal }: PullPluginOptions & { reference: Reference },
  lease: Lease,
  emit: Emit,
): Promise<Arrived> {
  return await fromRegistry(context, { reference, auth, signal }, async (client) => {
    const artifact = await fetchArtifact(context, client, reference, signal);
    const { settings, added } = checked(present, artifact, privileges);
    const warnings = await checkRequirements(context, artifact.manifest, settings);
    begin(emit, artifact);
    emit({ status: added.length > 0 ? `New privileges: ${privilegesText(added)}` : 'No new privileges' });
    for (const warning of warnings) emit({ status: `WARNING: ${warning}` });
    return { artifact, layers: await pullLayers({ context, client, artifact, lease, emit, signal }) };
  });
}

/** The settings that the new package takes over from the present one, and what was granted anew. @throws Forbidden */
function checked({ record, manifest }: Plugin, artifact: Artifact, privileges: readonly PluginPrivilege[]) {
  const settings = carriedOver(manifest, record.settings, artifact.manifest);
  const present = { manifest, settings: record.settings };
  return { settings, added: checkUpgradeGrant(present, { manifest: artifact.manifest, settings }, privileges) };
}

/** Puts the new package in the place of the present one, which is kept. */
function exchanged(
  { registry }: Pick<Context, 'registry'>,
  plugin: Plugin,
  { artifact, layers }: Arrived,
  { privileges }: PullPluginOptions,
  lease: Lease,
): PluginRecord {
  const { settings } = checked(plugin, artifact, privileges);
  const { previous, ...kept } = plugin.record;
  // After several upgrades without a start in between, the package that last answered is the one to go back to.
  const former = previous ?? { package: kept.package, settings: kept.settings };
  const isSame = former.package.artifact === artifact.text;
  const next = { ...kept, settings, package: packageOf(artifact, layers), ...(!isSame && { previous: former }) };
  registry.put(next);
  artifact.installed();
  // A package that was never started is not gone back to.
  for (const { diffId, digest } of previous ? kept.package.layers : []) {
    lease.keepLayer(diffId);
    lease.keepBlob(digest);
  }
  return next;
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
