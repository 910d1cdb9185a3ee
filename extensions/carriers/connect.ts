import type { RequestOptions } from 'node:https';
import { invalidParameter } from '@cleat/protocol/errors';
import { readSmallFile } from '../small-file.js';
import type { Address, TlsSettings } from './address.js';
import { lookup } from './lookup.js';

/** Whether it is `https` that is spoken there. */
export function isSecure(address: Address): boolean {
  return address.type === 'tcp' && address.tls !== undefined;
}

/**
 * How to connect there with `node:http`, or `node:https` where {@link isSecure}.
 * @throws InvalidParameter when the TLS files cannot be read
 */
export function connectOptions(address: Address): RequestOptions {
  if (address.type === 'unix') return { socketPath: address.path, host: 'plugin' };
  const { host, port, tls } = address;
  return { host, port, lookup, ...(tls ? tlsOptions(tls) : {}) };
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
