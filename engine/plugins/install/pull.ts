import type { Progress } from '@cleat/protocol/api/image';
import type { PluginPrivilege } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { privilegesOf } from '@cleat/protocol/plugins/privileges';
import { carriedOver, defaultSettings } from '@cleat/protocol/plugins/settings';
import { upgradePrivileges } from '@cleat/protocol/plugins/upgrade-privileges';
import { type Emit, progressOf } from '../../async/progress.js';
import { canonical, familiar, familiarName } from '../../content/references.js';
import { newId, type PluginId } from '../../ids.js';
import { type Context, publish } from '../context.js';
import { nameFor, parseRemote } from '../names.js';
import type { PluginLayer, PluginPackage } from '../record.js';
import type { PrivilegesOptions, PullPluginOptions } from '../service.js';
import { type Artifact, fetchArtifact, fromRegistry } from './artifact.js';
import { checkGrant } from './grant.js';
import { pullLayers } from './layers.js';
import { checkRequirements } from './requirements.js';

/** `GET /plugins/privileges`. @throws as {@link fetchArtifact} */
export async function privileges(
  context: Context,
  remote: string,
  { auth, name, signal }: PrivilegesOptions,
): Promise<PluginPrivilege[]> {
  const { reference } = parseRemote(remote);
  const present = name === undefined ? undefined : context.registry.called(name);
  return await fromRegistry(context, { reference, auth, signal }, async (client) => {
    const { manifest } = await fetchArtifact(context, client, reference, signal);
    if (!present) return privilegesOf(manifest);
    const before = { manifest: present.manifest, settings: present.record.settings };
    const settings = carriedOver(before.manifest, before.settings, manifest);
    return upgradePrivileges(before, { manifest, settings });
  });
}

/**
 * `POST /plugins/pull`. Whatever makes it fail is found out before the first line, but for the layers; nothing is left then.
 * @throws Forbidden `incorrect privileges` and for a signature that is not as asked; InvalidParameter, also for a name that
 * is taken; see {@link fetchArtifact}
 */
export function pull(context: Context, options: PullPluginOptions): AsyncIterable<Progress> {
  return progressOf(async (emit, signal) => {
    const { reference } = parseRemote(options.remote);
    const name = nameFor(options.remote, options.name);
    context.registry.refuseTaken(name, invalidParameter);
    await fromRegistry(context, { reference, auth: options.auth, signal }, async (client) => {
      const artifact = await fetchArtifact(context, client, reference, signal);
      checkGrant(artifact.manifest, options.privileges);
      const settings = defaultSettings(artifact.manifest);
      const warnings = await checkRequirements(context, artifact.manifest, settings);
      begin(emit, artifact);
      for (const warning of warnings) emit({ status: `WARNING: ${warning}` });
      await context.layers.withLease(async (lease) => {
        const layers = await pullLayers({ context, client, artifact, lease, emit, signal });
        // Somebody else may have made one of that name while the layers came.
        await context.turns.run(name, () => {
          signal.throwIfAborted();
          context.registry.refuseTaken(name, invalidParameter);
          const id = newId<PluginId>();
          const made = packageOf(artifact, layers);
          const record = { v: 1, id, name, enabled: false, timeout: 0, settings, package: made } as const;
          context.events.together(() => {
            publish(context, 'pull', familiar(reference), name);
            context.running.unavailable(context.registry.put(record));
          });
          artifact.installed();
        });
      });
    });
  }, options.signal);
}

/** The lines that Docker begins with. */
export function begin(emit: Emit, { reference, digest }: Artifact): void {
  const id = reference.digest === undefined ? reference.tag : canonical(reference);
  emit({ status: `Pulling from ${familiarName(reference)}`, id });
  emit({ status: `Digest: ${digest}` });
}

export function packageOf(artifact: Artifact, layers: PluginLayer[]): PluginPackage {
  const { config, text, mediaType, reference } = artifact;
  return { reference: canonical(reference), config, artifact: text, mediaType, layers };
}
