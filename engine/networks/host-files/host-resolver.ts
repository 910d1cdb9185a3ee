import { existsSync } from 'node:fs';
import { readOptional } from '@cleat/linux/files/optional';

/** The file in which systemd-resolved names the real servers. /etc/resolv.conf names systemd-resolved itself. */
const resolvedPath = '/run/systemd/resolve/resolv.conf';

export interface Resolver {
  nameservers: string[];
  search: string[];
  options: string[];
}

export function readResolver(text: string): Resolver {
  const resolver: Resolver = { nameservers: [], search: [], options: [] };
  for (const line of text.split('\n')) {
    const [key, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (key === 'nameserver' && values[0]) resolver.nameservers.push(values[0]);
    else if (key === 'search' || key === 'domain') resolver.search = values;
    else if (key === 'options') resolver.options.push(...values);
  }
  return resolver;
}

/** The host's resolver. Where that is systemd-resolved, the servers that it asks: containers do not reach its loopback address. */
export function hostResolver(): Resolver {
  const own = readResolver(readOptional('/etc/resolv.conf'));
  const isResolved = own.nameservers.length === 1 && own.nameservers[0] === '127.0.0.53';
  return isResolved && existsSync(resolvedPath) ? readResolver(readOptional(resolvedPath)) : own;
}

/** How long what the host's files say is taken as it was, in ms: each question asks for it. */
const hostMs = 5_000;
let lastHost: { resolver: Resolver; at: number } | undefined;

/** The host's resolver, at most a few seconds old. */
export function currentHost(): Resolver {
  const now = performance.now();
  if (!lastHost || now - lastHost.at > hostMs) lastHost = { resolver: hostResolver(), at: now };
  return lastHost.resolver;
}

export const isNdots = (option: string): boolean => option.startsWith('ndots:');
export const isBadNdots = (option: string): boolean => isNdots(option) && !/^ndots:\d+$/.test(option);

/** Whether these options say how many dots a name must have to be asked for as it is. */
export const saysNdots = (options: readonly string[]): boolean =>
  options.some((option) => isNdots(option) && !isBadNdots(option));
