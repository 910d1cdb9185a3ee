import type { PluginManifest, PluginSettings } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import { checkHost } from '../sandbox/check-host.js';

/**
 * Whether this host has what a plugin needs: asked before anything is installed.
 * @returns what its user may still set to something else, as warnings
 * @throws InvalidParameter for what nobody can set
 */
export async function checkRequirements(
  { helper }: Pick<Context, 'helper'>,
  manifest: PluginManifest,
  settings: PluginSettings,
): Promise<string[]> {
  const fixed = {
    ...settings,
    Mounts: settings.Mounts.filter(({ Settable }) => !Settable?.includes('source')),
    Devices: settings.Devices.filter(({ Settable }) => !Settable?.includes('path')),
  };
  const missing = await checkHost(helper, manifest, fixed);
  if (missing.length > 0) throw invalidParameter(`the plugin cannot run on this host: ${missing.join('; ')}`);
  return await checkHost(helper, manifest, settings);
}
