import type { PluginManifest, PluginPrivilege } from '@cleat/protocol/api/plugin';
import { forbidden } from '@cleat/protocol/errors';
import { newPrivileges, privilegesOf, samePrivileges } from '@cleat/protocol/plugins/privileges';

/**
 * Whether a user has granted exactly what a plugin asks for: neither less nor more.
 * @throws Forbidden `incorrect privileges`
 */
export function checkGrant(manifest: PluginManifest, granted: readonly PluginPrivilege[]): void {
  if (!samePrivileges(privilegesOf(manifest), granted)) throw incorrect(privilegesOf(manifest));
}

/**
 * The same for an upgrade: all that the new one asks for, or only what the present one was not granted yet.
 * @returns what is new
 */
export function checkUpgradeGrant(
  present: PluginManifest,
  next: PluginManifest,
  granted: readonly PluginPrivilege[],
): PluginPrivilege[] {
  const asked = privilegesOf(next);
  const added = newPrivileges(privilegesOf(present), asked);
  if (!samePrivileges(asked, granted) && !samePrivileges(added, granted)) throw incorrect(added);
  return added;
}

/** `network: [host], capabilities: [CAP_SYS_ADMIN]` */
export function privilegesText(privileges: readonly PluginPrivilege[]): string {
  return privileges.map(({ Name, Value }) => `${Name}: [${(Value ?? []).join(' ')}]`).join(', ');
}

const incorrect = (asked: readonly PluginPrivilege[]) =>
  forbidden(`incorrect privileges: the plugin asks for ${privilegesText(asked) || 'none'}`);
