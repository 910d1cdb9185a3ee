import { invalidParameter } from '@cleat/protocol/errors';

/** Where to listen, as `-H` says it. */
export type Address =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number }
  /** Sockets that systemd passes; empty: all. */
  | { kind: 'fd'; name: string };

/** Docker's ports for TCP without and with TLS. */
const defaultPort = { plain: 2375, tls: 2376 };

/** @throws InvalidParameter */
export function parseAddress(text: string, tls = false): Address {
  const match = /^(unix|tcp|fd):\/\/(.*)$/.exec(text.includes('://') ? text : `tcp://${text}`);
  const [, scheme, rest = ''] = match ?? [];
  switch (scheme) {
    case 'unix':
      return { kind: 'unix', path: rest === '' ? '/var/run/docker.sock' : rest };
    case 'fd':
      return { kind: 'fd', name: rest };
    case 'tcp': {
      const parts = /^(?:\[([^\]]*)\]|([^:/]*))(?::(\d+))?\/?$/.exec(rest);
      const port = Number(parts?.[3] ?? (tls ? defaultPort.tls : defaultPort.plain));
      if (parts && port < 65_536) return { kind: 'tcp', host: parts[1] ?? (parts[2] || '127.0.0.1'), port };
      break;
    }
  }
  throw invalidParameter(`Invalid bind address format: ${text}: use unix:///path, tcp://host:port or fd://`);
}

/** Only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
