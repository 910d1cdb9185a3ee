import { closeSync } from 'node:fs';
import { invalidParameter } from '@cleat/protocol/errors';
import { errnoOf } from './errno.js';
import { callC } from './ffi.js';
import { peerCredentials } from './peer.js';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
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
  const { family, name } = socketName(address, port);
  const type = (protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC;
  const fd = callC('int socket(int domain, int type, int protocol)', protocol, family, type, IPPROTO[protocol]);
  try {
    if (family === AF_INET6) onlySix(fd);
    callC('int bind(int fd, const void *name, unsigned int length)', `port ${port}`, fd, name, name.length);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** `struct sockaddr_in` or `sockaddr_in6`. */
function socketName(address: Uint8Array, port: number): { family: number; name: Buffer } {
  if (address.length !== 4 && address.length !== 16) throw invalidParameter('an address has 4 or 16 bytes');
  const family = address.length === 4 ? AF_INET : AF_INET6;
  const name = Buffer.alloc(family === AF_INET ? 16 : 28);
  name.writeUInt16LE(family, 0);
  name.writeUInt16BE(port, 2);
  name.set(address, family === AF_INET ? 4 : 8);
  return { family, name };
}

/**
 * Begins a TCP connection without waiting for it: its end is seen by reading and writing.
 * @returns a file descriptor that does not block
 * @throws CleatError System with ECONNREFUSED, ENETUNREACH, … when that is known at once
 */
export function connectStream(address: Uint8Array, port: number): number {
  const { family, name } = socketName(address, port);
  const type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = callC('int socket(int domain, int type, int protocol)', 'tcp', family, type, IPPROTO.tcp);
  try {
    callC('int connect(int fd, const void *name, unsigned int length)', `port ${port}`, fd, name, name.length);
  } catch (error) {
    if (errnoOf(error) !== 'EINPROGRESS') {
      closeSync(fd);
      throw error;
    }
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

const AF_UNIX = 1;
/** `sun_path` (unix(7)), with the zero that ends it. */
const maxPath = 108;

/**
 * The process that listens at a UNIX socket, or did when it began to: it may have handed the socket on and ended since.
 * The listener sees a connection that is closed at once; it need not take it, and is not waited for.
 * @throws CleatError System with ENOENT, ECONNREFUSED (nobody listens), EAGAIN (too many are waiting there)
 */
export function listeningPid(path: string): number {
  const name = Buffer.alloc(2 + maxPath);
  name.writeUInt16LE(AF_UNIX, 0);
  if (Buffer.byteLength(path) >= maxPath) throw invalidParameter(`${path} is too long for a socket`);
  name.write(path, 2);
  const type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = callC('int socket(int domain, int type, int protocol)', 'AF_UNIX', AF_UNIX, type, 0);
  try {
    callC('int connect(int fd, const void *name, unsigned int length)', path, fd, name, name.length);
    return peerCredentials(fd).pid;
  } finally {
    closeSync(fd);
  }
}

const SOCK_SEQPACKET = 5;
const F_DUPFD_CLOEXEC = 1030;

/**
 * Connects to a UNIX socket that keeps the boundaries of packets. Never waits.
 * @returns a file descriptor
 * @throws CleatError System with ENOENT, ECONNREFUSED (nobody listens), EAGAIN (too many are waiting there)
 */
export function connectSeqpacket(path: string): number {
  if (Buffer.byteLength(path) >= maxPath) throw invalidParameter(`${path} is too long for a socket`);
  const name = Buffer.alloc(2 + maxPath);
  name.writeUInt16LE(AF_UNIX, 0);
  name.write(path, 2);
  const type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = callC('int socket(int domain, int type, int protocol)', 'AF_UNIX', AF_UNIX, type, 0);
  try {
    callC('int connect(int fd, const void *name, unsigned int length)', path, fd, name, name.length);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Another descriptor of the same open file. @throws CleatError System with EMFILE */
export function duplicate(fd: number): number {
  return callC('int fcntl(int fd, int command, int argument)', `descriptor ${fd}`, fd, F_DUPFD_CLOEXEC, 0);
}
