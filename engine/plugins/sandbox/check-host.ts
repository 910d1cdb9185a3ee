import type { Helper } from '@cleat/linux/helper/helper';
import type { PluginManifest, PluginSettings } from '@cleat/protocol/api/plugin';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { linuxCapabilities } from '@cleat/protocol/linux-capabilities';
import { allCapabilities, normalizeCapabilities } from '../../oci/capabilities.js';
import { devicesAt } from '../../oci/devices.js';
import { isBind } from './mounts.js';

/** How a network may be asked for; an empty one and `none` have no interface but loopback, as under Docker. */
export const networkTypes = ['', 'none', 'null', 'host', 'bridge'];

const protocolScheme = 'moby.plugins.http/v1';

/**
 * The requests of a plugin that this host or this engine cannot meet. To be asked before anything is installed or enabled: it would fail
 * then, with less to say.
 * @returns a sentence for each; empty: it can run here
 */
export async function checkHost(
  helper: Pick<Helper, 'call'>,
  manifest: PluginManifest,
  settings: PluginSettings,
): Promise<string[]> {
  const { Interface, Network, Linux } = manifest;
  const missing: string[] = [];
  const { ProtocolScheme = '' } = Interface;
  if (ProtocolScheme !== '' && ProtocolScheme !== protocolScheme) {
    missing.push(`its protocol ${JSON.stringify(ProtocolScheme)} is not spoken here: only ${protocolScheme} is`);
  }
  if (!networkTypes.includes(Network.Type)) {
    missing.push(`there is no network of type ${JSON.stringify(Network.Type)}: only none, host and bridge`);
  }
  missing.push(...missingCapabilities(Linux.Capabilities ?? []), ...missingDevices(settings));
  const mounts = await Promise.all(
    settings.Mounts.filter(isBind).map(({ Name, Source }) => sourceOf(helper, Name, Source)),
  );
  return [...missing, ...mounts.filter((each) => each !== undefined)];
}

function missingCapabilities(asked: readonly string[]): string[] {
  return asked.flatMap((name) => {
    try {
      const [full = ''] = normalizeCapabilities([name], 'CapAdd');
      if (full === 'ALL' || allCapabilities().includes(full)) return [];
      return [`the capability ${name} cannot be given on this host`];
    } catch {
      return [`there is no capability ${JSON.stringify(name)}: they are called ${linuxCapabilities[0]} and the like`];
    }
  });
}

function missingDevices({ Devices }: PluginSettings): string[] {
  return Devices.flatMap(({ Name, Path }) => {
    if (!Path) return [`the path of its device ${JSON.stringify(Name)} is not set`];
    try {
      devicesAt(Path, Path);
      return [];
    } catch (error) {
      return [`its device ${JSON.stringify(Name)} is not there: ${messageOf(error)}`];
    }
  });
}

/** Only for the message: the administrator named it, and the runtime goes where the name leads then. */
async function sourceOf(
  helper: Pick<Helper, 'call'>,
  name: string,
  source: string | null,
): Promise<string | undefined> {
  const mount = `its mount ${JSON.stringify(name || (source ?? ''))}`;
  if (!source) return `the source of ${mount} is not set`;
  if (!source.startsWith('/')) return `the source of ${mount} is no absolute path: ${JSON.stringify(source)}`;
  try {
    await helper.call('stat', { path: source, follow: true });
    return undefined;
  } catch (error) {
    if (isClass(error, 'NotFound'))
      return `the source of ${mount} is not there: bind source path does not exist: ${source}`;
    return `the source of ${mount} cannot be looked at: ${messageOf(error)}`;
  }
}
