import { chownSync, existsSync } from 'node:fs';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { messageOf } from '@cleat/protocol/errors';
import { type NetworksContext, requestedResolver } from '../context.js';
import { hasNames } from '../named.js';
import { insideAddress } from '../names/messages.js';
import type { EndpointRecord, SandboxRecord } from '../record.js';
import { isAsWritten, type Written, writeEdited, writeInPlace } from './edited.js';
import { hostFilePaths, hostsFile, resolvFile } from './hosts.js';

/**
 * Writes hosts, hostname and resolv.conf for what is known of the container by now. A container that runs may have
 * changed them: its lines in hosts stay, and a resolv.conf that is not ours any longer is left alone.
 */
export function writeHostFiles(context: NetworksContext, sandbox: SandboxRecord): void {
  const paths = hostFilePaths(sandbox.directory);
  const next = textsFor(context, sandbox);
  const last = context.written.of(sandbox, () => (existsSync(paths.hostsPath) ? next : undefined));
  if (!last) {
    makeDirectories(sandbox.directory, 0o710);
    writeInPlace(paths.hostnamePath, next.hostname);
    writeInPlace(paths.hostsPath, next.hosts);
    writeInPlace(paths.resolvConfPath, next.resolvConf);
    // Its root may write to them, as under Docker.
    if (sandbox.root) for (const path of Object.values(paths)) chownSync(path, sandbox.root.uid, sandbox.root.gid);
    context.written.note(sandbox, next);
    return;
  }
  let { resolvConf } = last;
  if (next.hostname !== last.hostname) writeInPlace(paths.hostnamePath, next.hostname);
  if (next.hosts !== last.hosts) writeEdited(paths.hostsPath, last.hosts, next.hosts);
  if (next.resolvConf !== resolvConf) {
    const isOurs = isAsWritten(paths.resolvConfPath, resolvConf);
    if (isOurs) writeInPlace(paths.resolvConfPath, next.resolvConf);
    // An engine that was killed before it noted it may have written it already.
    if (isOurs || isAsWritten(paths.resolvConfPath, next.resolvConf)) resolvConf = next.resolvConf;
  }
  context.written.note(sandbox, { ...next, resolvConf });
}

function textsFor(context: NetworksContext, sandbox: SandboxRecord): Written {
  const ways = sandbox.endpoints.filter(({ role }) => role !== 'gateway');
  return {
    hostname: `${sandbox.hostname}\n`,
    hosts: hostsFile(sandbox, {
      own: ways.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].flatMap((cidr) => cidr.split('/')[0] || [])),
      more: linkLines(context, sandbox),
      hostGateways: context.hostGateways(),
    }),
    resolvConf: resolvFile(sandbox, requestedResolver(context), hasNames(sandbox) ? insideAddress : ''),
  };
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
