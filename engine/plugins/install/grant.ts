import type { PluginManifest, PluginPrivilege } from '@cleat/protocol/api/plugin';
import { forbidden } from '@cleat/protocol/errors';
import { newPrivileges, privilegesOf, samePrivileges } from '@cleat/protocol/plugins/privileges';
import { type PluginVersion, upgradePrivileges } from '@cleat/protocol/plugins/upgrade-privileges';

/**
 * Whether a user has granted exactly what a plugin asks for: neither less nor more.
 * @throws Forbidden `incorrect privileges`
 */
export function checkGrant(manifest: PluginManifest, granted: readonly PluginPrivilege[]): void {
  if (!samePrivileges(privilegesOf(manifest), granted)) throw incorrect(privilegesOf(manifest));
}

/**
 * The same for an upgrade: what the present one was not granted yet, or all that the new one asks for, as a client sends it
 * that has not said which plugin it upgrades. That is not enough where something is new that Docker's list does not name.
 * @returns what is new
 */
export function checkUpgradeGrant(
  present: PluginVersion,
  next: PluginVersion,
  granted: readonly PluginPrivilege[],
): PluginPrivilege[] {
  const asked = privilegesOf(next.manifest);
  const added = upgradePrivileges(present, next);
  if (samePrivileges(added, granted)) return added;
  if (samePrivileges(asked, granted) && newPrivileges(asked, added).length === 0) return added;
  throw incorrect(added);
}

/** `network: [host], capabilities: [CAP_SYS_ADMIN]` */
export function privilegesText(privileges: readonly PluginPrivilege[]): string {
  return privileges.map(({ Name, Value }) => `${Name}: [${(Value ?? []).join(' ')}]`).join(', ');
}

const incorrect = (asked: readonly PluginPrivilege[]) =>
  forbidden(`incorrect privileges: the plugin asks for ${privilegesText(asked) || 'none'}`);
