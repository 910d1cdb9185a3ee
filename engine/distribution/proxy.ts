import { BlockList, isIP } from 'node:net';
import { systemError } from '@cleat/protocol/errors';

/** Proxies as the environment names them. Empty: none. */
export interface Proxies {
  http: string;
  https: string;
  /** Where no proxy is asked: names, `.domain`, addresses, networks, each with a port or without; or `*`. */
  no: string;
}

/** `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or the same in small letters, as Go's programs read them. */
export function environmentProxies(environment: NodeJS.ProcessEnv = process.env): Proxies {
  const either = (name: string) => environment[name] || environment[name.toLowerCase()] || '';
  return { http: either('HTTP_PROXY'), https: either('HTTPS_PROXY'), no: either('NO_PROXY') };
}

/**
 * A proxy for those who may read about it, without its credentials. There need be no scheme before them, and a password
 * may hold any character, so all up to the last `@` goes.
 */
export function withoutCredentials(proxy: string): string {
  return proxy.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, '$1xxxxx:xxxxx@');
}

/**
 * The proxy for a URL (Go's `golang.org/x/net/http/httpproxy`): none for this host itself.
 * @throws System for a proxy that is no URL, or one that speaks neither HTTP nor HTTPS
 */
export function proxyFor(url: URL, proxies: Proxies): URL | undefined {
  const text = url.protocol === 'https:' ? proxies.https : proxies.http;
  if (text === '' || isExempt(url, proxies.no)) return undefined;
  const full = text.includes('://') ? text : `http://${text}`;
  // Not the text itself: there may be a password in it.
  if (!URL.canParse(full)) throw systemError(`the proxy for ${url.protocol}//${url.host} is no valid URL`);
  const proxy = new URL(full);
  if (proxy.protocol === 'http:' || proxy.protocol === 'https:') return proxy;
  throw systemError(
    `the proxy for ${url.protocol}//${url.host} is one of ${proxy.protocol}// here, which is not supported: name one of http:// or https://`,
  );
}

/** `Proxy-Authorization` of a proxy whose URL holds credentials. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {};
  const pair = `${decoded(proxy.username)}:${decoded(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that means itself. Connections are made where nobody would catch it.
    return text;
  }
}

function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || isLoopback(host)) return true;
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry === '*' || (entry !== '' && covers(entry, host, port)));
}

function covers(entry: string, host: string, port: string): boolean {
  const network = /^([^/]+)\/(\d{1,3})$/.exec(entry);
  if (network) return isInNetwork(network[1] ?? '', Number(network[2]), host);
  const [, name = entry, only] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? [];
  if (only !== undefined && only !== port) return false;
  const bare = name.replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '');
  if (isIP(bare) || isIP(host)) return bare === host;
  return bare.startsWith('.') ? host.endsWith(bare) : host === bare || host.endsWith(`.${bare}`);
}

function isInNetwork(address: string, prefix: number, host: string): boolean {
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || prefix > (family === 6 ? 128 : 32)) return false;
  const kind = family === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(address, prefix, kind);
  return list.check(host, kind);
}

function isLoopback(host: string): boolean {
  return host === '::1' || isInNetwork('127.0.0.0', 8, host);
}

/** A proxy is not there, or refuses. */
export class ProxyError extends Error {}
