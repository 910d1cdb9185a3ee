import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { addressBytes, type Block, formatBlock, parseCidr } from '@cleat/protocol/cidr';
import { parseInterfaceNames } from '@cleat/protocol/net-dev';
import { readOptional } from '../files/optional.js';
import { run } from '../process/run.js';

/**
 * Blocks of addresses that this host uses: those of its interfaces and of its routes, without the default route.
 * From /proc, no process. /proc/self/net, not /sys: it shows the namespace of this process, no matter who mounted it.
 */
export function usedBlocks(): Block[] {
  const used = new Map<string, Block>();
  const add = (cidr: string) => {
    const { block } = parseCidr(cidr);
    used.set(formatBlock(block), block);
  };
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { cidr } of addresses ?? []) if (cidr) add(cidr.replace(/%.*\//, '/'));
  }
  for (const cidr of routedV4(readOptional('/proc/self/net/route'))) add(cidr);
  return [...used.values()];
}

/** Destinations in the kernel's IPv4 routing table (/proc/net/route), as CIDR. */
export const routedV4 = (table: string): string[] => routesV4(table).map(({ cidr }) => cidr);

/** The same with the interfaces, without the default route. */
function routesV4(table: string): { link: string; cidr: string }[] {
  const found: { link: string; cidr: string }[] = [];
  for (const line of table.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    const [link = '', destination, mask] = [columns[0], columns[1], columns[7]];
    if (!destination || !mask || mask === '00000000') continue;
    const prefix = [...Number.parseInt(mask, 16).toString(2)].filter((bit) => bit === '1').length;
    const bytes = destination.match(/../g)?.reverse() ?? [];
    found.push({ link, cidr: `${bytes.map((byte) => Number.parseInt(byte, 16)).join('.')}/${prefix}` });
  }
  return found;
}

/** The interfaces of this process's namespace, as far as a few files of /proc tell. */
export interface HostState {
  has(link: string): boolean;
  /** Whether the interface is up and has this address, a CIDR. */
  serves(link: string, cidr: string): boolean;
}

/**
 * From /proc, no process; each file is read when it is first asked for. Not from /proc/net/dev, in which all interfaces
 * are counted up: with 500 of them a look would take a millisecond.
 */
export function hostState(): HostState {
  const routes = once(
    () => new Set(routesV4(readOptional('/proc/self/net/route')).map(({ link, cidr }) => `${link} ${cidr}`)),
  );
  const addresses = once(() => {
    const six = readOptional('/proc/self/net/if_inet6').split('\n');
    return new Set(six.map((line) => line.split(/\s+/)).map(([address, , , , , link]) => `${link} ${address}`));
  });
  return {
    // Each interface has its sysctls; those of this process's namespace are shown.
    has: (link) => existsSync(`/proc/sys/net/ipv4/conf/${link}`),
    serves(link, cidr) {
      const { block } = parseCidr(cidr);
      // The kernel has the route for as long as the interface is up and has an address there.
      if (block.family === 4) return routes().has(`${link} ${formatBlock(block)}`);
      return addresses().has(`${link} ${Buffer.from(addressBytes(cidr.split('/')[0] ?? '')).toString('hex')}`);
    },
  };
}

function once<T extends object>(read: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= read();
    return value;
  };
}

/** Names of all network interfaces of this process's namespace. */
export function interfaceNames(): Set<string> {
  return parseInterfaceNames(readOptional('/proc/self/net/dev'));
}

/** Whether sockets can be bound to IPv6 addresses here: the loopback has its own. */
export const hasIPv6 = (): boolean => /^0{31}1 /m.test(readOptional('/proc/self/net/if_inet6'));

export interface LinkFacts {
  name: string;
  /** `bridge`, `veth`, …; empty for hardware. */
  kind: string;
  alias: string;
  /** The bridge, bond or the like that it is a port of; empty: none. */
  master: string;
  up: boolean;
  mtu: number;
  mac: string;
  /** CIDRs. */
  addresses: string[];
}

/** The host's facts about an interface, or undefined when there is none. One process. */
export async function linkFacts(name: string): Promise<LinkFacts | undefined> {
  const result = await run('ip', ['-j', '-d', 'address', 'show', 'dev', name]);
  if (result.code !== 0) return undefined;
  const parsed: unknown = JSON.parse(result.stdout || '[]');
  const link: IpLink | undefined = Array.isArray(parsed) ? parsed.find((entry) => entry?.ifname === name) : undefined;
  if (!link) return undefined;
  return {
    name,
    kind: link.linkinfo?.info_kind ?? '',
    alias: link.ifalias ?? '',
    master: link.master ?? '',
    up: link.flags?.includes('UP') ?? false,
    mtu: link.mtu ?? 0,
    mac: link.address ?? '',
    addresses: (link.addr_info ?? []).filter(({ scope }) => scope !== 'link').map((a) => `${a.local}/${a.prefixlen}`),
  };
}

interface IpLink {
  ifname?: string;
  ifalias?: string;
  master?: string;
  address?: string;
  mtu?: number;
  flags?: string[];
  linkinfo?: { info_kind?: string };
  addr_info?: { local: string; prefixlen: number; scope?: string }[];
}

/** Names of interfaces that carry this alias or one that begins with it and a colon. One process. */
export async function linksByAlias(alias: string): Promise<{ name: string; alias: string }[]> {
  const result = await run('ip', ['-j', 'link', 'show']);
  if (result.code !== 0) return [];
  const parsed: unknown = JSON.parse(result.stdout || '[]');
  const links: IpLink[] = Array.isArray(parsed) ? parsed : [];
  return links.flatMap(({ ifname, ifalias }) =>
    ifname && ifalias && (ifalias === alias || ifalias.startsWith(`${alias}:`))
      ? [{ name: ifname, alias: ifalias }]
      : [],
  );
}

/** Reads a network sysctl of this process's namespace, for example `ipv4/ip_forward`; undefined when there is none. */
export function readSysctl(key: string): string | undefined {
  return readOptional(`/proc/sys/net/${key}`).trim() || undefined;
}

/** Writes a network sysctl unless it has that value already. @returns whether it had to be changed */
export function writeSysctl(key: string, value: string): boolean {
  if (readSysctl(key) === value) return false;
  writeFileSync(`/proc/sys/net/${key}`, value);
  return true;
}

/** The network namespace of this process as a path that `ip … netns` takes. */
export const ownNamespace = (): string => `/proc/${process.pid}/ns/net`;

/** Files in a directory of namespaces. */
export function namespaceFiles(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
