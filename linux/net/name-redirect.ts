import { closeSync } from 'node:fs';
import { addressBytes } from '@cleat/protocol/cidr';
import { systemError } from '@cleat/protocol/errors';
import { run } from '../process/run.js';
import { inNetworkNamespace } from '../syscall/namespace.js';
import { bindPort } from '../syscall/socket.js';

const deadlineMs = 15_000;
const table = 'cleat_names';
const namePort = 53;

/** Bound sockets in a network namespace, as file descriptors: `udp` receives, `tcp` does not listen yet. */
export interface BoundSockets {
  readonly udp: number;
  readonly tcp: number;
}

/**
 * Sockets on a loopback address in another network namespace. The caller closes them.
 * @param ports 0: the kernel chooses a free one
 * @throws CleatError System, with EADDRINUSE for ports that are taken
 */
export function bindInside(path: string, address: string, ports = { udp: 0, tcp: 0 }): BoundSockets {
  const bytes = addressBytes(address);
  return inNetworkNamespace(path, () => {
    const udp = bindPort('udp', bytes, ports.udp);
    try {
      return { udp, tcp: bindPort('tcp', bytes, ports.tcp) };
    } catch (error) {
      closeSync(udp);
      throw error;
    }
  });
}

/**
 * In another network namespace, what is sent to port 53 of a loopback address gets to these ports. The port itself stays
 * free, for a name server that runs in a container. Replaces what was said before of any address.
 * @throws CleatError System with what nft said
 */
export async function redirectNames(path: string, address: string, ports: { udp: number; tcp: number }): Promise<void> {
  const rules = (['udp', 'tcp'] as const).map(
    (protocol) =>
      `add rule ip ${table} output ip daddr ${address} ${protocol} dport ${namePort} dnat to ${address}:${ports[protocol]}`,
  );
  // All of it at once. The table is added first, so that deleting it cannot fail.
  const script = [
    `add table ip ${table}`,
    `delete table ip ${table}`,
    `add table ip ${table}`,
    `add chain ip ${table} output { type nat hook output priority -100; }`,
    ...rules,
    '',
  ].join('\n');
  const { code, stderr } = await run('nsenter', [`--net=${path}`, 'nft', '-f', '-'], { input: script, deadlineMs });
  if (code !== 0) throw systemError(`names cannot be redirected in ${path}: ${stderr.trim()}`);
}
