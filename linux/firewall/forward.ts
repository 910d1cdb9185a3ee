import { systemError } from '@cleat/protocol/errors';
import { readOptional } from '../files/optional.js';
import { run } from '../process/run.js';

/**
 * The one exception to "touch only what is ours": where iptables' FORWARD drops by policy, or a dockerd rules there, no
 * table of ours can let packets through, because the last base chain's drop wins. So each bridge gets two tagged ACCEPT
 * rules there; what is allowed is still decided by our own table. A bridge of somebody else gets one, for frames that stay
 * on it: what this host routes to it or from it is not ours to allow.
 */
export interface ForwardRules {
  /** Chain to insert into, or undefined when nothing needs to be done on this host. */
  chain: 'DOCKER-USER' | 'FORWARD' | undefined;
  /** Tagged rules that are there: `chain rest-of-rule`. */
  present: string[];
}

/** Whether the iptables from before nf_tables has rules here. */
export const hasLegacyRules = (): boolean => readOptional('/proc/self/net/ip_tables_names').trim() !== '';

/** Reads `iptables -S`. */
export function readForwardRules(listing: string, tag: string): ForwardRules {
  const lines = listing.split('\n');
  const hasDockerUser =
    lines.includes('-N DOCKER-USER') && lines.some((line) => /^-A FORWARD .*-j DOCKER-USER$/.test(line));
  const drops = lines.includes('-P FORWARD DROP');
  const present = lines.flatMap((line) => {
    const rule = /^-A (DOCKER-USER|FORWARD) (.*)$/.exec(line);
    return rule && commentOf(line) === tag ? [`${rule[1]} ${rule[2]}`] : [];
  });
  return { chain: hasDockerUser ? 'DOCKER-USER' : drops ? 'FORWARD' : undefined, present };
}

function commentOf(line: string): string | undefined {
  const match = /--comment (?:"([^"]*)"|(\S+))/.exec(line);
  return match?.[1] ?? match?.[2];
}

/** The script for `iptables-restore --noflush` that makes the tagged rules those of the bridges; empty: nothing to do. */
export function forwardScript(
  rules: ForwardRules,
  bridges: readonly string[],
  tag: string,
  borrowed: readonly string[] = [],
): string {
  const all = [
    ...bridges.flatMap((bridge) => [`-i ${bridge}`, `-o ${bridge}`]),
    ...borrowed.map((bridge) => `-i ${bridge} -o ${bridge}`),
  ];
  const wanted = rules.chain ? all.map((rule) => `${rules.chain} ${rule}`) : [];
  const start = (rule: string) => /^\S+( -[io] \S+)+/.exec(rule)?.[0] ?? '';
  const stale = rules.present.filter((rule) => !wanted.includes(start(rule)));
  const missing = wanted.filter((rule) => !rules.present.some((there) => start(there) === rule));
  if (stale.length + missing.length === 0) return '';
  return [
    '*filter',
    ...stale.map((rule) => `-D ${rule}`),
    ...missing.map((rule) => `-I ${rule} -m comment --comment "${tag}" -j ACCEPT`),
    'COMMIT',
    '',
  ].join('\n');
}

/** Others may change the rules between our look and our change: then that is refused, and we look again. */
const attempts = 3;

/**
 * Makes the tagged rules those of `bridges` (none: removes them all). Idempotent; one process when nothing is to do.
 * A host without iptables has nothing that could drop our packets there.
 * @param tag the rules' comment, unique per engine
 * @param six ip6tables instead
 * @param borrowed bridges of somebody else, of which only frames that stay on them are let through
 * @returns whether there was anything to do
 * @throws System with what iptables said
 */
export async function assertForward(
  bridges: readonly string[],
  tag: string,
  six = false,
  borrowed: readonly string[] = [],
): Promise<boolean> {
  const command = six ? 'ip6tables' : 'iptables';
  for (let attempt = 1; ; attempt++) {
    const listing = await run(command, ['-w', '5', '-S']).catch((error: unknown) => {
      if (error instanceof Error && error.message.includes('not installed')) return undefined;
      throw error;
    });
    // A kernel without that family says so by its exit code; then there is nothing to repair either.
    if (listing?.code !== 0) return false;
    const script = forwardScript(readForwardRules(listing.stdout, tag), bridges, tag, borrowed);
    if (!script) return false;
    const result = await run(`${command}-restore`, ['--noflush', '-w', '5'], { input: script });
    if (result.code === 0) return true;
    if (attempt === attempts) throw systemError(`${command}-restore: ${result.stderr.trim()}`);
  }
}
