import { readFileSync } from 'node:fs';
import { addressBytes } from '@cleat/protocol/cidr';
import { type Flow, forgetFlow } from '../syscall/conntrack.js';
import { errnoOf } from '../syscall/errno.js';
import type { PublishedPort } from './ruleset.js';

const UDP = 17;

/**
 * Makes the kernel forget the UDP flows of ports that were just published or withdrawn. A flow is translated as its
 * first packet was; a client that never pauses would reach a container that is gone, or none at all, for ever.
 */
export function forgetUdpFlows(ports: readonly PublishedPort[]): void {
  const udp = ports.filter(({ protocol }) => protocol === 'udp');
  if (udp.length === 0) return;
  for (const flow of udpFlows(readFlows(), udp)) forgetFlow(flow);
}

/** The flows of /proc/net/nf_conntrack that were sent to one of the ports. */
export function udpFlows(table: string, ports: readonly PublishedPort[]): Flow[] {
  const wanted = new Set(ports.map(({ hostPort }) => String(hostPort)));
  const flows: Flow[] = [];
  for (const line of table.split('\n')) {
    if (!/^ipv[46] +\d+ udp /.test(line)) continue;
    // The first of each: the second tuple is that of the answers.
    const [, source, destination, sourcePort, destinationPort] =
      /src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/.exec(line) ?? [];
    if (!source || !destination || !destinationPort || !wanted.has(destinationPort)) continue;
    flows.push({
      protocol: UDP,
      source: addressBytes(source),
      destination: addressBytes(destination),
      sourcePort: Number(sourcePort),
      destinationPort: Number(destinationPort),
    });
  }
  return flows;
}

function readFlows(): string {
  try {
    return readFileSync('/proc/self/net/nf_conntrack', 'utf8');
  } catch (error) {
    // A kernel that does not list its flows; those of a busy client then live until it pauses.
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}
