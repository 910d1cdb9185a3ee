import { mkdirSync } from 'node:fs';
import { hostFilePaths, hostsFile, resolvFile, writeInPlace } from './hosts.js';
import { splitLink } from './links.js';
import { insideAddress } from './names/service.js';
import type { SandboxRecord } from './record.js';
import { type NetworkRoom, resolverWishes } from './room.js';

/** Writes hosts, hostname and resolv.conf for what is known of the container by now. */
export function writeHostFiles(room: NetworkRoom, sandbox: SandboxRecord): void {
  const paths = hostFilePaths(sandbox.directory);
  const written = room.writtenFor(sandbox);
  if (written.size === 0) mkdirSync(sandbox.directory, { recursive: true, mode: 0o710 });
  writeInPlace(written, paths.hostnamePath, `${sandbox.hostname}\n`);
  writeInPlace(
    written,
    paths.hostsPath,
    hostsFile(sandbox, {
      own: sandbox.endpoints
        .filter(({ role }) => role !== 'gateway')
        .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].flatMap((cidr) => cidr.split('/')[0] || [])),
      more: linkLines(room, sandbox),
      hostGateway: room.hostGateway(),
    }),
  );
  writeInPlace(written, paths.resolvConfPath, resolvFile(sandbox, resolverWishes(room), nameServerFor(sandbox)));
}

/** The container's own name service, if it has one: it is on a network where names resolve. */
function nameServerFor(sandbox: SandboxRecord): string {
  return sandbox.kind === 'path' && sandbox.endpoints.some(({ dnsNames }) => dnsNames.length > 0) ? insideAddress : '';
}

/** Starts the container's own name service if it needs one, and stops it otherwise. Its namespace is there. */
export async function serveNames(room: NetworkRoom, sandbox: SandboxRecord): Promise<void> {
  if (nameServerFor(sandbox)) await room.names.serve(sandbox);
  else await room.names.unserve(sandbox.containerId);
}

/** Legacy links: on the default bridge there is no name service, so they are lines in /etc/hosts. */
function linkLines(room: NetworkRoom, sandbox: SandboxRecord): string[] {
  return sandbox.links.flatMap((link) => {
    const { name, alias } = splitLink(link);
    const other = room.containers.find(name);
    const peer = other && room.sandbox(other.id);
    const shared = peer?.endpoints.find(({ networkId }) =>
      sandbox.endpoints.some((endpoint) => endpoint.networkId === networkId),
    );
    const address = shared?.ipv4.split('/')[0];
    if (!other || !address) return [];
    const names = new Set([alias, other.id.slice(0, 12), other.name]);
    return [`${address}\t${[...names].join(' ')}`];
  });
}
