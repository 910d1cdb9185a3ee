import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';

/** Where the engine behind the proxy is; with `tls`, how it is known, and what the proxy shows to it. */
export type UpstreamAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: UpstreamTls | undefined };

/** PEM. It is looked at for each connection: its owner puts renewed certificates there. */
export interface UpstreamTls {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  /** The engine must show a certificate that the CA signed. */
  readonly rejectUnauthorized: boolean;
}

/** For the connection, and for TLS on it. */
const deadlineMs = 10_000;
/** A half-close goes through in either direction. The buffer: bytes of an answer that are read before the client takes them. */
const manner = { allowHalfOpen: true, highWaterMark: 512 * 1024 };

export const addressText = (address: UpstreamAddress): string =>
  address.kind === 'unix' ? `unix://${address.path}` : `tcp://${address.host}:${address.port}`;

/** A connection to the engine, which has shown who it is where that is asked for. @throws Unavailable */
export async function dial(address: UpstreamAddress): Promise<Socket> {
  const { socket, ready } = begun(address);
  await opened(socket, ready, addressText(address));
  socket.setNoDelay(true);
  return socket;
}

function begun(address: UpstreamAddress): { socket: Socket; ready: 'connect' | 'secureConnect' } {
  if (address.kind === 'unix') return { socket: connect({ path: address.path, ...manner }), ready: 'connect' };
  const { host, port, tls } = address;
  if (!tls) return { socket: connect({ host, port, ...manner }), ready: 'connect' };
  // An address is no name that a server could be asked for by (RFC 6066, 3).
  const servername = isIP(host) ? '' : host;
  return { socket: connectTls({ host, port, servername, ...manner, ...tls }), ready: 'secureConnect' };
}

function opened(socket: Socket, ready: 'connect' | 'secureConnect', text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let isConnected = false;
    const refuse = (why: string, cause?: unknown): void => {
      socket.destroy();
      const told = isConnected
        ? `the engine behind the proxy cannot be trusted or does not trust it: TLS with ${text} failed (${why})`
        : `no engine answers on ${text} behind the proxy (${why}): is it running?`;
      reject(unavailable(told, { cause }));
    };
    const timer = setTimeout(() => refuse(`no connection within ${deadlineMs / 1000} s`), deadlineMs);
    socket.once('connect', () => {
      isConnected = true;
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      refuse(messageOf(error), error);
    });
    socket.once(ready, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
