import { invalidParameter } from '@cleat/protocol/errors';

/** TLS settings of a plugin's `.json`, as Docker reads them (moby `pkg/plugins`, go-connections `tlsconfig`). */
export interface TlsSettings {
  insecureSkipVerify: boolean;
  caFile: string | undefined;
  certFile: string | undefined;
  keyFile: string | undefined;
}

/** Where an extension listens. */
export type Address =
  | { type: 'unix'; path: string }
  | { type: 'tcp'; host: string; port: number; tls: TlsSettings | undefined };

/**
 * Reads `unix:///path`, `tcp://host:port`, `http://host:port` or `https://host:port`.
 * @throws InvalidParameter
 */
export function parseAddress(text: string, tls?: TlsSettings): Address {
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
    throw invalidParameter(`'${text}' is no address of a plugin: expected unix:///path or tcp://host:port`);
  }
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const settings = tls ?? { insecureSkipVerify: false, caFile: undefined, certFile: undefined, keyFile: undefined };
  return { type: 'tcp', host, port, tls: tls || secure ? settings : undefined };
}

/** The address as people write it. */
export function addressText(address: Address): string {
  if (address.type === 'unix') return `unix://${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${address.tls ? 'https' : 'tcp'}://${host}:${address.port}`;
}
