import { closeSync } from 'node:fs';
import { callC } from './ffi.js';

/* Messages to the kernel and from it (netlink(7)), in the byte order of a little-endian host. */

export const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;

export const NLMSG_ERROR = 2;
export const NLM_F_REQUEST = 1;
/** Size of `struct nlmsghdr`. */
export const MESSAGE = 16;

/** @returns a file descriptor */
export const openNetlink = (protocol: number, subject: string): number =>
  callC('int socket(int domain, int type, int protocol)', subject, AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);

export function withNetlink<T>(protocol: number, subject: string, work: (fd: number) => T): T {
  const fd = openNetlink(protocol, subject);
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

/** @param body the family's own header, and attributes */
export function sendMessage(fd: number, subject: string, type: number, flags: number, ...body: Buffer[]): void {
  const request = Buffer.concat([Buffer.alloc(MESSAGE), ...body]);
  request.writeUInt32LE(request.length, 0);
  request.writeUInt16LE(type, 4);
  request.writeUInt16LE(flags, 6);
  callC('long send(int fd, const void *data, size_t length, int flags)', subject, fd, request, request.length, 0);
}

export const recv = 'long recv(int fd, void *data, size_t length, int flags)';

/** @returns how many bytes of a datagram were put there */
export const receive = (fd: number, subject: string, into: Buffer): number =>
  callC(recv, subject, fd, into, into.length, 0);

/** As it is in a message, padded. */
export function attribute(number: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(aligned(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(number, 2);
  value.copy(bytes, 4);
  return bytes;
}

/** By their numbers. The values are parts of the given bytes. */
export function attributesOf(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4) break;
    // The highest two bits are flags.
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return found;
}

export const aligned = (length: number): number => (length + 3) & ~3;
