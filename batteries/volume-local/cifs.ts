import { invalidParameter } from '@cleat/protocol/errors';

/**
 * Refuses what Docker refuses in the device of a `cifs` volume, which it reads as a URL.
 * @throws InvalidParameter in Docker's words
 */
export function checkCifsDevice(device: string): void {
  const { port, problem } = parse(device);
  if (problem) {
    throw invalidParameter(`error parsing mount device url: parse ${JSON.stringify(device)}: ${problem}`);
  }
  if (port) throw invalidParameter("port not allowed in CIFS device URL, include 'port' in 'o='");
}

/** The server in `//server/share`; empty where there is none. */
export function cifsHost(device: string): string {
  return parse(device).host;
}

/** Shares have blanks, percent signs and plus signs in their names, and nothing in them is decoded. */
function parse(device: string): { host: string; port: string; problem?: string } {
  if (device.startsWith(':')) return { host: '', port: '', problem: 'missing protocol scheme' };
  const [, authority = ''] = /^\/\/([^/?#]*)/.exec(device) ?? [];
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority) ?? [];
  const problem = /^\d*$/.test(port) ? undefined : `invalid port ":${port}" after host`;
  return { host, port, problem };
}
