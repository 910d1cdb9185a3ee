import { closeSync } from 'node:fs';
import { errnoOf } from './errno.js';
import { callC } from './ffi.js';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** A UNIX socket that is connected to a receiver of datagrams; Node has none. Never waits, but for the path's look-up. */
export class UnixDatagrams {
  readonly #path: string;
  readonly #fd: number;

  /** @throws CleatError System when nobody receives there */
  constructor(path: string) {
    this.#path = path;
    this.#fd = callC('int socket(int domain, int type, int protocol)', path, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    try {
      const address = addressOf(path);
      callC('int connect(int fd, const void *address, unsigned int size)', path, this.#fd, address, address.length);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** @returns false when the receiver's queue is full just now @throws CleatError System */
  send(payload: Buffer): boolean {
    try {
      callC(
        'long send(int fd, const void *data, unsigned long length, int flags)',
        this.#path,
        this.#fd,
        payload,
        payload.length,
        MSG_DONTWAIT | MSG_NOSIGNAL,
      );
      return true;
    } catch (error) {
      // One number with two names.
      if (errnoOf(error) === 'EAGAIN') return false;
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/**
 * Sends one datagram to a UNIX socket; Node has none. Meant for sd_notify: short texts to a local socket.
 * @param path of the socket; a leading `@` names one in the abstract name space (sd_notify(3)).
 * @throws CleatError System
 */
export function sendDatagram(path: string, text: string): void {
  const address = addressOf(path);
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

function addressOf(path: string): Buffer {
  const abstract = path.startsWith('@');
  const name = Buffer.from(abstract ? `\0${path.slice(1)}` : path);
  const address = Buffer.alloc(2 + name.length + (abstract ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}
