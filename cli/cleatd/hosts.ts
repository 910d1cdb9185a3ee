import { UsageError } from './options/parse.js';

/** Where the API is to be served. */
export type Host =
  | { kind: 'unix'; path: string; text: string }
  | { kind: 'tcp'; address: string; port: number; text: string }
  /** Sockets that systemd passed: all of them, or the named one. */
  | { kind: 'fd'; name: string; text: string };

export const defaultSocket = '/run/docker.sock';

/** As dockerd's opts.ParseHost. @param tls decides the default port. @throws UsageError */
export function parseHost(value: string, tls: boolean): Host {
  const text = value.trim();
  const [, scheme = 'tcp', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(text) ?? [];
  switch (scheme) {
    case 'unix':
      return unix(rest || defaultSocket);
    case 'tcp':
      return tcp(rest, text, tls);
    case 'fd':
      return { kind: 'fd', name: rest, text: `fd://${rest}` };
    default:
      throw new UsageError(`invalid bind address (${text}): unsupported proto '${scheme}', use unix, tcp or fd`);
  }
}

function unix(path: string): Host {
  const absolute = path.startsWith('/') ? path : `/${path}`;
  // sun_path holds 108 bytes with the final NUL; longer ones are cut silently by some systems.
  if (Buffer.byteLength(absolute) > 107) {
    throw new UsageError(`invalid bind address (unix://${path}): the path of a UNIX socket has at most 107 bytes`);
  }
  return { kind: 'unix', path: absolute, text: `unix://${absolute}` };
}

function tcp(rest: string, text: string, tls: boolean): Host {
  const match = /^(?:\[([\da-fA-F:.%]+)\]|([^:[\]/]*))(?::(\d{1,5}))?\/?$/.exec(rest);
  const port = Number(match?.[3] ?? (tls ? 2376 : 2375));
  if (!match || port > 65535) throw new UsageError(`invalid bind address (${text}): use tcp://ADDRESS:PORT`);
  const address = match[1] || match[2] || '127.0.0.1';
  const shown = address.includes(':') ? `[${address}]` : address;
  return { kind: 'tcp', address, port, text: `tcp://${shown}:${port}` };
}

/** Whether only this host can reach an address. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(address);
}
