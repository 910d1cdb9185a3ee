import { readFileSync } from 'node:fs';
import { UsageError } from './options/parse.js';

/**
 * The group that may use the UNIX socket.
 * @param wanted name or number; empty: `docker` where that group exists, else root.
 * @throws UsageError for a name that does not exist.
 */
export function socketGroup(wanted: string): { gid: number; note?: string } {
  if (/^\d+$/.test(wanted)) return { gid: Number(wanted) };
  const gid = lookUp(wanted || 'docker');
  if (gid !== undefined) return { gid };
  if (wanted !== '' && wanted !== 'docker') {
    throw new UsageError(`group ${wanted} not found: create it (groupadd ${wanted}) or name another --group`);
  }
  return { gid: 0, note: 'there is no group docker here: only root may use the socket (groupadd docker changes that)' };
}

function lookUp(name: string): number | undefined {
  for (const line of readFileSync('/etc/group', 'utf8').split('\n')) {
    const [group, , gid] = line.split(':');
    if (group === name && gid !== undefined) return Number(gid);
  }
  return undefined;
}
