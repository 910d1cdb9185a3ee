import { closeSync } from 'node:fs';
import { callC } from './ffi.js';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

/**
 * Sends one datagram to a UNIX socket; Node has none. Meant for sd_notify: short texts to a local socket.
 * @param path of the socket; a leading `@` names one in the abstract name space (sd_notify(3)).
 * @throws CleatError System
 */
export function sendDatagram(path: string, text: string): void {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path);
  const address = Buffer.alloc(2 + name.length + (path.startsWith('@') ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  const payload = Buffer.from(text);
  const fd = callC('int socket(int domain, int type, int protocol)', path, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    callC(
      'long sendto(int fd, const void *data, unsigned long length, int flags, const void *address, unsigned int size)',
      path,
      fd,
      payload,
      payload.length,
      0,
      address,
      address.length,
    );
  } finally {
    closeSync(fd);
  }
}
