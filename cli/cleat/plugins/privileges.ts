import type { PluginPrivilege } from '@cleat/protocol/plugins/privileges';

/** Privileges in one line, as the docker CLI asks for them: `network: [host]; device: [/dev/fuse]`. */
export function privilegesText(privileges: readonly PluginPrivilege[]): string {
  if (privileges.length === 0) return 'none';
  return privileges.map(({ Name, Value }) => `${Name}: [${(Value ?? []).join(' ')}]`).join('; ');
}
