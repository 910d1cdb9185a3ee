import { closeSync } from 'node:fs';
import { invalidParameter } from '@cleat/protocol/errors';
import { callC } from './ffi.js';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPPROTO = { tcp: 6, udp: 17, sctp: 132 } as const;

/**
 * Binds a socket to a port without listening, so that nobody else can take it: not listening, it answers nothing and
 * costs nothing; without SO_REUSEADDR, others' bind fails.
 * @param address IPv4 or IPv6 as bytes (4 or 16), in network order
 * @returns a file descriptor; closing it frees the port
 * @throws CleatError System with EADDRINUSE, EADDRNOTAVAIL, EPROTONOSUPPORT (no SCTP in this kernel), …
 */
export function bindPort(protocol: 'tcp' | 'udp' | 'sctp', address: Uint8Array, port: number): number {
  if (address.length !== 4 && address.length !== 16) throw invalidParameter('an address has 4 or 16 bytes');
  const family = address.length === 4 ? AF_INET : AF_INET6;
  const type = (protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC;
  const fd = callC('int socket(int domain, int type, int protocol)', protocol, family, type, IPPROTO[protocol]);
  const name = Buffer.alloc(family === AF_INET ? 16 : 28);
  name.writeUInt16LE(family, 0);
  name.writeUInt16BE(port, 2);
  name.set(address, family === AF_INET ? 4 : 8);
  try {
    if (family === AF_INET6) onlySix(fd);
    callC('int bind(int fd, const void *name, unsigned int length)', `port ${port}`, fd, name, name.length);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** Without it `::` would stand for all IPv4 addresses, too. */
function onlySix(fd: number): void {
  const one = Buffer.alloc(4);
  one.writeInt32LE(1);
  const prototype = 'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)';
  callC(prototype, 'IPV6_V6ONLY', fd, IPPROTO_IPV6, IPV6_V6ONLY, one, one.length);
}
