import { systemError } from '@cleat/protocol/errors';
import { processIdentity } from '../process/identity.js';
import { readPidFile } from '../process/pid-file.js';
import { run } from '../process/run.js';

/**
 * firewalld rejects what is forwarded from an interface of no zone, and no table of ours can let it through. So our
 * bridges are in its zone "trusted"; what they may do is still decided by our own table. It forgets that whenever it is
 * reloaded: what is told it for good would outlive us.
 */
const zone = 'trusted';

/** It is a program in Python, and answers after a reload that is under way. Milliseconds. */
const deadlineMs = 20_000;

/** Whether firewalld runs on this host. From two small files, no process. */
export function firewalldRuns(): boolean {
  const pid = readPidFile('/run/firewalld.pid');
  return pid !== undefined && processIdentity(pid) !== undefined;
}

/** The interfaces that are in any zone; undefined while firewalld has no rules. One or two processes. */
export async function interfacesInZones(): Promise<Set<string> | undefined> {
  const nft = await run('nft', ['list', 'chain', 'inet', 'firewalld', 'filter_FORWARD_ZONES']);
  if (nft.code === 0) return new Set([...nft.stdout.matchAll(/iifname "([^"]+)"/g)].map(([, name = '']) => name));
  // FirewallBackend=iptables
  const iptables = await run('iptables', ['-w', '5', '-S', 'FORWARD_ZONES']).catch(() => undefined);
  if (iptables?.code !== 0) return undefined;
  return new Set([...iptables.stdout.matchAll(/^-A FORWARD_ZONES -i (\S+)/gm)].map(([, name = '']) => name));
}

/** @throws System with what firewalld said */
export const trustInterfaces = (names: readonly string[]): Promise<void> => tell('--add-interface', names);

/** Those that are in another zone by now stay there. @throws System with what firewalld said */
export const distrustInterfaces = (names: readonly string[]): Promise<void> => tell('--remove-interface', names);

async function tell(what: string, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const args = [`--zone=${zone}`, ...names.map((name) => `${what}=${name}`)];
  const { code, stderr } = await run('firewall-cmd', args, { deadlineMs });
  // It says so where an interface is in that zone already, in another one, or in none.
  if (code === 0 || /ZONE_CONFLICT|ALREADY_ENABLED|UNKNOWN_INTERFACE|NOT_ENABLED/.test(stderr)) return;
  throw systemError(`firewall-cmd: ${stderr.trim() || `exit code ${code}`}`);
}
