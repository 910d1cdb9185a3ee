import { chownSync } from 'node:fs';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { messageOf } from '@cleat/protocol/errors';
import { type NetworksContext, requestedResolver } from './context.js';
import { hostFilePaths, hostsFile, resolvFile, writeInPlace } from './hosts.js';
import { hasNames } from './named.js';
import { insideAddress } from './names/messages.js';
import type { EndpointRecord, SandboxRecord } from './record.js';

/** Writes hosts, hostname and resolv.conf for what is known of the container by now. */
export function writeHostFiles(context: NetworksContext, sandbox: SandboxRecord): void {
  const paths = hostFilePaths(sandbox.directory);
  const written = context.writtenFor(sandbox);
  if (written.size === 0) makeDirectories(sandbox.directory, 0o710);
  const isNew = written.size === 0;
  writeInPlace(written, paths.hostnamePath, `${sandbox.hostname}\n`);
  writeInPlace(
    written,
    paths.hostsPath,
    hostsFile(sandbox, {
      own: sandbox.endpoints
        .filter(({ role }) => role !== 'gateway')
        .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].flatMap((cidr) => cidr.split('/')[0] || [])),
      more: linkLines(context, sandbox),
      hostGateways: context.hostGateways(),
    }),
  );
  writeInPlace(
    written,
    paths.resolvConfPath,
    resolvFile(sandbox, requestedResolver(context), hasNames(sandbox) ? insideAddress : ''),
  );
  // Its root may write to them, as under Docker.
  if (isNew && sandbox.root) {
    for (const path of Object.values(paths)) chownSync(path, sandbox.root.uid, sandbox.root.gid);
  }
}

/** On the default bridge there is no name service, so links are lines in /etc/hosts. */
function linkLines(context: Pick<NetworksContext, 'defaultNetwork' | 'sandbox'>, sandbox: SandboxRecord): string[] {
  const isOnDefault = ({ networkName }: EndpointRecord) => networkName === context.defaultNetwork;
  if (!sandbox.endpoints.some(isOnDefault)) return [];
  return (sandbox.linked ?? []).flatMap(({ containerId, alias }) => {
    const other = context.sandbox(containerId);
    const shared = other?.endpoints.find(isOnDefault);
    if (!other || !shared) return [];
    const names = new Set([alias, other.hostname, other.containerName].filter(Boolean));
    return [shared.ipv4, shared.ipv6].flatMap((cidr) => {
      const [address] = cidr.split('/');
      return address ? [`${address}\t${[...names].join(' ')}`] : [];
    });
  });
}

/** Those that are linked to a container find it under its new name or address. */
export function tellLinked(context: NetworksContext, { containerId }: SandboxRecord): void {
  for (const sandbox of context.sandboxes()) {
    if (!sandbox.linked?.some((link) => link.containerId === containerId)) continue;
    try {
      writeHostFiles(context, sandbox);
    } catch (error) {
      // It is on its way out; the one that it is linked to has nothing to do with that.
      context.log.warn('a link is not up to date', { container: sandbox.containerId, error: messageOf(error) });
    }
  }
}
