import { mkdirSync } from 'node:fs';
import { hostFilePaths, hostsFile, resolvFile, writeInPlace } from './hosts.js';
import { splitLink } from './names/service.js';
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

/** Address of the first of the container's networks that has a name service; empty: none. */
async function nameServerFor(room: NetworkRoom, sandbox: SandboxRecord): Promise<string> {
  for (const endpoint of sandbox.endpoints) {
    const network = room.registry.byId(endpoint.networkId);
    const gateway = network?.v4[0]?.gateway || network?.v6[0]?.gateway || '';
    if (!network || isPredefined(network.name) || !gateway) continue;
    const address = gateway.split('/')[0] ?? '';
    if (await room.names.serve({ id: network.id, gateway: address, internal: network.internal })) return address;
  }
  return '';
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
