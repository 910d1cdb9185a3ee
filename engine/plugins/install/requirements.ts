import type { PluginSettings } from '@cleat/protocol/api/plugin';
import { invalidParameter, isClass } from '@cleat/protocol/errors';
import type { Context } from '../context.js';

/** Something of this host that a plugin is to see and that is not there. */
interface Missing {
  /** For people: `the mount source /srv/data`. */
  readonly what: string;
  /** Its name among the settings, if its user may choose another. */
  readonly setting: string | undefined;
}

/**
 * What a plugin needs of this host and does not find.
 * @returns what its user may still set, as warnings
 * @throws InvalidParameter for what nobody can set
 */
export async function checkRequirements(context: Context, settings: PluginSettings): Promise<string[]> {
  const missing = await missingFor(context, settings);
  const fatal = missing.filter(({ setting }) => setting === undefined);
  if (fatal.length > 0) {
    const list = fatal.map(({ what }) => what).join(', ');
    throw invalidParameter(`the plugin needs what is not on this host: ${list}; nothing was installed`);
  }
  return missing.map(({ what, setting }) => `${what} does not exist: create it, or set ${setting} to another`);
}

async function missingFor(context: Context, settings: PluginSettings): Promise<Missing[]> {
  const places = [
    ...settings.Mounts.filter(isBind).map(({ Name, Source, Settable }, at) => ({
      what: `the mount source ${Source}`,
      path: Source,
      setting: Settable?.includes('source') ? `${Name || at}.source` : undefined,
    })),
    ...settings.Devices.map(({ Name, Path, Settable }, at) => ({
      what: `the device ${Path}`,
      path: Path,
      setting: Settable?.includes('path') ? `${Name || at}.path` : undefined,
    })),
  ];
  const found = await Promise.all(places.map(async (place) => ((await isHere(context, place.path)) ? [] : [place])));
  return found.flat();
}

/** An empty source is nobody's: Docker lets it be set later. */
function isBind({ Type, Options, Source }: PluginSettings['Mounts'][number]): boolean {
  if (!Source?.startsWith('/')) return false;
  return Type === 'bind' || Type === '' || (Options ?? []).some((option) => option === 'bind' || option === 'rbind');
}

async function isHere({ helper }: Pick<Context, 'helper'>, path: string | null): Promise<boolean> {
  if (path === null || path === '') return true;
  try {
    await helper.call('stat', { path, follow: true });
    return true;
  } catch (error) {
    if (isClass(error, 'NotFound')) return false;
    throw error;
  }
}
