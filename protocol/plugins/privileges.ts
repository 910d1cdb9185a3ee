import type { PluginManifest, PluginPrivilege } from '../api/plugin.js';
import { isRuntime } from './types.js';

export type { PluginPrivilege } from '../api/plugin.js';

/**
 * The permissions of a plugin beyond its own sandbox, as a user has to grant them: names, texts and order are moby's
 * (`computePrivileges` in `daemon/pkg/plugin/backend_linux.go`). Shown, granted and enforced is this one list.
 */
export function privilegesOf(manifest: PluginManifest): PluginPrivilege[] {
  const { Network, IpcHost, PidHost, Mounts, Linux } = manifest;
  const list: PluginPrivilege[] = [];
  const add = (Name: string, Description: string, ...Value: string[]) => list.push({ Name, Description, Value });
  if (!['null', 'bridge', ''].includes(Network.Type)) add('network', 'permissions to access a network', Network.Type);
  if (IpcHost) add('host ipc namespace', 'allow access to host ipc namespace', 'true');
  if (PidHost) add('host pid namespace', 'allow access to host pid namespace', 'true');
  for (const { Source } of Mounts ?? []) if (Source !== null) add('mount', 'host path to mount', Source);
  for (const { Path } of Linux.Devices ?? []) if (Path !== null) add('device', 'host device to access', Path);
  if (Linux.AllowAllDevices) add('allow-all-devices', "allow 'rwm' access to all devices", 'true');
  if (Linux.Capabilities?.length) {
    add('capabilities', 'list of additional capabilities required', ...Linux.Capabilities);
  }
  // Ours: a stock engine knows no such plugins.
  if (isRuntime(manifest)) add('runtime', 'run for containers as root on the host, outside of any sandbox', 'true');
  return list;
}

/**
 * Whether two lists grant the same: entry by entry, in any order, each with the same values in any order. Docker once
 * compared all entries but the last (CVE-2026-33997). Descriptions are for people.
 */
export function samePrivileges(a: readonly PluginPrivilege[], b: readonly PluginPrivilege[]): boolean {
  return canonical(a) === canonical(b);
}

/** One text for all lists that grant the same: JSON keeps apart what is in it. */
function canonical(privileges: readonly PluginPrivilege[]): string {
  return JSON.stringify(privileges.map(({ Name, Value }) => JSON.stringify([Name, [...(Value ?? [])].sort()])).sort());
}

/**
 * The permissions in `after` that are not in `before`, in their order: entries with the values that nothing of the same name had before.
 */
export function newPrivileges(
  before: readonly PluginPrivilege[],
  after: readonly PluginPrivilege[],
): PluginPrivilege[] {
  return after.flatMap((privilege) => {
    const granted = new Set(before.filter(({ Name }) => Name === privilege.Name).flatMap(({ Value }) => Value ?? []));
    const added = (privilege.Value ?? []).filter((value) => !granted.has(value));
    return added.length === 0 ? [] : [{ ...privilege, Value: added }];
  });
}
