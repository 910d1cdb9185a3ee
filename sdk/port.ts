import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';

/** @returns its address as engines read it, `tcp://…`, or `https://…` with TLS @throws InvalidParameter */
export function listenOnPort(server: Server, { host = '127.0.0.1', port = 0, tls = false }): Promise<string> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) =>
      reject(invalidParameter(`cannot listen on ${host}:${port}: ${messageOf(error)}`, { cause: error }));
    server.once('error', onError);
    server.listen(port, host, () => {
      server.removeListener('error', onError);
      resolve(addressOf(server.address() as AddressInfo, host, tls));
    });
  });
}

/** @param asked the host that was asked for */
export function addressOf({ address, family, port }: AddressInfo, asked: string, tls: boolean): string {
  const six = family === 'IPv6';
  // All addresses are none that one can connect to; with TLS, what was asked for is what the certificate names.
  const wildcard = address === '::' || address === '0.0.0.0';
  const host = wildcard ? (six ? '::1' : '127.0.0.1') : tls ? asked : address;
  return `${tls ? 'https' : 'tcp'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
