import { readOptional } from '../files/optional.js';
import { run } from '../process/run.js';

/** Names of interfaces that stand on that one, such as VLANs. One process. */
export async function linksAbove(name: string): Promise<string[]> {
  const result = await run('ip', ['-j', '-d', 'link', 'show']);
  const parsed: unknown = result.code === 0 ? JSON.parse(result.stdout || '[]') : [];
  const all: IpLink[] = Array.isArray(parsed) ? parsed : [];
  // Each end of a pair names the other one.
  return all.flatMap(({ ifname, link, linkinfo }) =>
    ifname && link === name && linkinfo?.info_kind !== 'veth' ? [ifname] : [],
  );
}

interface IpLink {
  ifname?: string;
  link?: string;
  linkinfo?: { info_kind?: string };
}

interface Route {
  link: string;
  /** As /proc writes it. */
  destination: string;
  isDefault: boolean;
}

/** Names of interfaces over which this host has a default route. From /proc, no process. */
export const defaultRouteLinks = (): Set<string> =>
  new Set(routes().flatMap(({ link, isDefault }) => (isDefault && link !== 'lo' ? [link] : [])));

/** Names of interfaces over which this host has any route that is not link-local. From /proc, no process. */
export const routedLinks = (): Set<string> =>
  new Set(routes().flatMap(({ link, destination }) => (linkLocal.test(destination) ? [] : [link])));

/** fe80::/10, and multicast, which every interface has. */
const linkLocal = /^(fe[89ab]|ff)[0-9a-f]{29}/i;

function routes(): Route[] {
  const rows = (file: string) =>
    readOptional(`/proc/self/net/${file}`)
      .split('\n')
      .map((row) => row.trim().split(/\s+/));
  const four = rows('route')
    .slice(1)
    .map(([link = '', destination = '', , , , , , mask = '']) => ({
      link,
      destination,
      isDefault: /^0+$/.test(destination) && /^0+$/.test(mask),
    }));
  const six = rows('ipv6_route').map(([destination = '', bits = '', , , , , , , , link = '']) => ({
    link,
    destination,
    isDefault: bits === '00',
  }));
  return [...four, ...six].filter(({ link }) => link !== '');
}
