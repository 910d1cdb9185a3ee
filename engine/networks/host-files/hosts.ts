import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { readOptional } from '@cleat/linux/files/optional';
import type { SandboxRecord } from '../record.js';
import { hostResolver, isBadNdots, isNdots, type Resolver } from './host-resolver.js';

/** The three files that every container sees in /etc. */
export const hostFilePaths = (directory: string) => ({
  hostsPath: join(directory, 'hosts'),
  hostnamePath: join(directory, 'hostname'),
  resolvConfPath: join(directory, 'resolv.conf'),
});

const standardHosts = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** Public resolvers, for a host that has none that a container could reach; the ones that Docker falls back to. */
const lastResort = ['8.8.8.8', '8.8.4.4'];

export interface HostEntries {
  /** Addresses of the container with which its own name resolves. */
  own: string[];
  /** Lines `address names…` for links. */
  more: string[];
  /** The addresses for `host-gateway`. */
  hostGateways: readonly string[];
}

/** /etc/hosts. In the host's network the host's own file, with the extra hosts. */
export function hostsFile(sandbox: SandboxRecord, { own, more, hostGateways }: HostEntries): string {
  const extra = sandbox.extraHosts.flatMap((entry) => {
    const colon = entry.search(/[:=]/);
    const [name, address] = [entry.slice(0, colon), entry.slice(colon + 1)];
    const addresses = address === 'host-gateway' ? hostGateways : [address.replace(/^\[(.*)\]$/, '$1')];
    return addresses.map((one) => `${one}\t${name}`);
  });
  if (sandbox.kind === 'host') {
    const host = readOptional('/etc/hosts').replace(/\n*$/, '\n');
    return host + extra.map((line) => `${line}\n`).join('');
  }
  const { hostname, domainname, withoutIPv6 } = sandbox;
  const standard = standardHosts.filter((line) => !(withoutIPv6 && /^[\da-f]*:/.test(line)));
  const names = domainname && !hostname.endsWith(`.${domainname}`) ? `${hostname}.${domainname} ${hostname}` : hostname;
  const self = own.map((address) => `${address}\t${names}`);
  return [...standard, ...extra, ...more, ...(hostname ? self : [])].map((line) => `${line}\n`).join('');
}

/** The resolvers of the engine's configuration. */
export interface RequestedResolver {
  dns: readonly string[];
  search: readonly string[];
  options: readonly string[];
}

/** The container's settings; the engine's where it has none. */
export function resolverFor(sandbox: SandboxRecord, requested: RequestedResolver): RequestedResolver {
  return {
    dns: sandbox.dns.length > 0 ? sandbox.dns : requested.dns,
    search: sandbox.dnsSearch.length > 0 ? sandbox.dnsSearch : requested.search,
    options: sandbox.dnsOptions.length > 0 ? sandbox.dnsOptions : requested.options,
  };
}

/**
 * /etc/resolv.conf as Docker writes it: what the user said, else what the host says, without servers that only the
 * host itself can reach.
 * @param named address of the engine's own name service, which then forwards to the others
 */
export function resolvFile(
  sandbox: SandboxRecord,
  requested: RequestedResolver,
  named: string,
  host: Resolver = hostResolver(),
): string {
  const { dns, search, options } = resolverFor(sandbox, requested);
  if (sandbox.kind === 'host' && dns.length + search.length + options.length === 0) {
    return readOptional('/etc/resolv.conf');
  }
  const six = sandbox.endpoints.some(({ ipv6 }) => ipv6 !== '');
  const servers = named
    ? [named]
    : dns.length > 0
      ? [...dns]
      : reachable(host.nameservers, sandbox.kind === 'host', six);
  const searched = (search.length > 0 ? [...search] : host.search).filter((domain) => domain !== '.');
  const own = options.length > 0 ? [...options] : [...host.options];
  const chosen = named ? own.filter((option) => !isBadNdots(option)) : own;
  if (named && !chosen.some(isNdots)) chosen.push('ndots:0');
  return [
    '# Written by Cleat.',
    ...servers.map((server) => `nameserver ${server}`),
    ...(searched.length > 0 ? [`search ${searched.join(' ')}`] : []),
    ...(chosen.length > 0 ? [`options ${chosen.join(' ')}`] : []),
    '',
  ].join('\n');
}

function reachable(servers: readonly string[], inHost: boolean, six: boolean): string[] {
  if (inHost) return [...servers];
  const found = servers.filter(
    (server) => !server.startsWith('127.') && server !== '::1' && (six || !isIPv6(server.replace(/%.*/, ''))),
  );
  return found.length > 0 ? found : lastResort;
}
