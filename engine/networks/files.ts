import { mkdirSync } from 'node:fs';
import { hostFilePaths, hostsFile, resolvFile, writeInPlace } from './hosts.js';
import { insideAddress, splitLink } from './names/service.js';
import type { SandboxRecord } from './record.js';
import { isPredefined } from './resource.js';
import type { NetworkRoom } from './room.js';

/** Writes hosts, hostname and resolv.conf for what is known of the container by now. */
export async function writeHostFiles(room: NetworkRoom, sandbox: SandboxRecord): Promise<void> {
  const { config } = room;
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
  const wishes = { dns: config.dns, search: config.dnsSearch, options: config.dnsOptions };
  writeInPlace(written, paths.resolvConfPath, resolvFile(sandbox, wishes, await nameServerFor(room, sandbox)));
}

/**
 * Address of the first of the container's networks that has a name service; where none has, of the container's own;
 * empty on predefined networks, where names do not resolve.
 */
async function nameServerFor(room: NetworkRoom, sandbox: SandboxRecord): Promise<string> {
  let named = false;
  for (const { networkId } of sandbox.endpoints) {
    const network = room.registry.byId(networkId);
    if (!network || isPredefined(network.name)) continue;
    const [gateway = ''] = (network.v4[0]?.gateway || network.v6[0]?.gateway || '').split('/');
    if (await room.names.serve({ id: network.id, gateway, internal: network.internal })) return gateway;
    named = true;
  }
  return named && sandbox.kind === 'path' ? insideAddress : '';
}

/** Starts the container's own name service if it needs one, and stops it otherwise. Its namespace is there. */
export async function serveNames(room: NetworkRoom, sandbox: SandboxRecord): Promise<void> {
  if ((await nameServerFor(room, sandbox)) === insideAddress) await room.names.serveInside(sandbox);
  else await room.names.unserveInside(sandbox.containerId);
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
