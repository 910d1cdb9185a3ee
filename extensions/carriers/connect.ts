import type { RequestOptions } from 'node:https';
import { connect as connectPlainly, isIP, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { invalidParameter } from '@cleat/protocol/errors';
import { readSmallFile } from '../small-file.js';
import type { Address, TlsSettings } from './address.js';
import { lookup } from './lookup.js';

/** How to connect to an address, in each of the ways that Node has. */
export interface Ways {
  /** With `node:http`, or `node:https` where {@link isSecure}. */
  readonly request: RequestOptions;
  /** Begins to connect. A message's last part is not held back until the others are acknowledged. */
  connect(): Socket;
  /** The event by which such a socket says that it is connected. */
  readonly ready: 'connect' | 'secureConnect';
  /** The header `Host`. */
  readonly host: string;
}

/** Whether it is `https` that is spoken there. */
export function isSecure(address: Address): boolean {
  return address.type === 'tcp' && address.tls !== undefined;
}

/** @throws InvalidParameter when the TLS files cannot be read */
export function waysTo(address: Address): Ways {
  if (address.type === 'unix') {
    const { path } = address;
    const host = 'plugin';
    return {
      request: { socketPath: path, host },
      connect: () => connectPlainly({ path }),
      ready: 'connect',
      host,
    };
  }
  const { host, port, tls } = address;
  const there = { host, port, lookup };
  const named = host.includes(':') ? `[${host}]` : host;
  if (!tls) {
    return {
      request: there,
      connect: () => connectPlainly(there).setNoDelay(),
      ready: 'connect',
      host: port === 80 ? named : `${named}:${port}`,
    };
  }
  // An IP address is not sent as a name.
  const options = { ...there, ...tlsOptions(tls), servername: isIP(host) ? '' : host } satisfies ConnectionOptions;
  return {
    request: options,
    // Loaded by the first extension that speaks TLS, which few do.
    connect: () => process.getBuiltinModule('node:tls').connect(options).setNoDelay(),
    ready: 'secureConnect',
    host: port === 443 ? named : `${named}:${port}`,
  };
}

function tlsOptions({ insecureSkipVerify, caFile, certFile, keyFile }: TlsSettings) {
  return {
    rejectUnauthorized: !insecureSkipVerify,
    ca: caFile && pem(caFile),
    cert: certFile && pem(certFile),
    key: keyFile && pem(keyFile),
  };
}

function pem(path: string): string {
  const text = readSmallFile(path);
  if (text === undefined) throw invalidParameter(`there is no ${path}, which the plugin's description names`);
  return text;
}
