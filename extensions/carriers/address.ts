import { invalidParameter } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';

/**
 * TLS settings of a plugin's `.json`, as Docker reads them (moby `pkg/plugins`, go-connections `tlsconfig`). What the
 * plugin's certificate must name is the host of the address; an IP address must be named as one.
 */
export interface TlsSettings {
  insecureSkipVerify: boolean;
  /** Instead of the authorities that the system trusts. */
  caFile?: string | undefined;
  certFile?: string | undefined;
  keyFile?: string | undefined;
}

/** Where an extension listens. */
export type Address =
  | { type: 'unix'; path: string }
  | { type: 'tcp'; host: string; port: number; tls: TlsSettings | undefined };

/**
 * Reads `unix:///path`, `tcp://host:port`, `http://host:port` or `https://host:port`.
 * @param tls for `https` only, as in Docker
 * @throws InvalidParameter
 */
export function parseAddress(text: string, tls: TlsSettings = { insecureSkipVerify: false }): Address {
  const unix = /^unix:\/\/(\/.+)$/.exec(text);
  if (unix?.[1]) return { type: 'unix', path: unix[1] };
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Reported below, together with what parses but is not usable.
  }
  const schemes = ['tcp:', 'http:', 'https:'];
  if (!url || !schemes.includes(url.protocol) || url.hostname === '') {
    const shown = readable(text, 200);
    throw invalidParameter(`'${shown}' is no address of a plugin: expected unix:///path or tcp://host:port`);
  }
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { type: 'tcp', host, port, tls: secure ? tls : undefined };
}

/** The address as people write it. */
export function addressText(address: Address): string {
  if (address.type === 'unix') return `unix://${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${address.tls ? 'https' : 'tcp'}://${host}:${address.port}`;
}
