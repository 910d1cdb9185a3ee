import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { invalidParameter } from '@cleat/protocol/errors';
import { syscallError } from './errno.js';
import { addressOf, callC } from './ffi.js';

const AF_PACKET = 17;
const SOCK_RAW = 3 | 0o2000000 | 0o4000;
const ETH_P_ALL = 3;
const ARPHRD_ETHER = 1;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const MSG_DONTWAIT = 0x40;
/** `struct sockaddr_ll` (packet(7)). */
const nameSize = 20;

/** An instruction of the kernel's packet filter (`struct sock_filter`). */
type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, value: number];

/** Bytes of a frame that are kept; the rest is cut off. */
const kept = 2048;

/**
 * Lets through whole IPv4 packets of UDP to that port that come in on an Ethernet link. Without it each frame of the
 * link would be copied to its socket.
 */
const udpTo = (port: number): readonly Instruction[] => [
  // The kind of packet, which the kernel keeps beside it: not one that this host sends.
  [0x20, 0, 0, 0xfffff004],
  [0x15, 10, 0, 4],
  // IPv4, UDP, no fragment.
  [0x28, 0, 0, 12],
  [0x15, 0, 8, 0x0800],
  [0x30, 0, 0, 23],
  [0x15, 0, 6, 17],
  [0x28, 0, 0, 20],
  [0x45, 4, 0, 0x3fff],
  // The port, after as many bytes as the IP header has.
  [0xb1, 0, 0, 14],
  [0x48, 0, 0, 16],
  [0x15, 0, 1, port],
  [0x06, 0, 0, kept],
  [0x06, 0, 0, 0],
];

/**
 * Opens a socket for whole Ethernet frames on a link, which needs no address there. It gets all
 * that comes in for a port of UDP, to any address and past the firewall, before the kernel's own IP.
 * @returns a file descriptor that does not block
 * @throws CleatError System with ENODEV, ENETDOWN, EPERM; InvalidParameter for what is no Ethernet link
 */
export function openPacketSocket(link: string, port: number): number {
  // With protocol 0 it gets nothing until it is bound, by which time it has its filter.
  const fd = callC('int socket(int domain, int type, int protocol)', link, AF_PACKET, SOCK_RAW, 0);
  try {
    attach(fd, link, udpTo(port));
    const name = Buffer.alloc(nameSize);
    name.writeUInt16LE(AF_PACKET, 0);
    name.writeUInt16BE(ETH_P_ALL, 2);
    name.writeInt32LE(indexOf(link), 4);
    callC('int bind(int fd, const void *name, unsigned int length)', link, fd, name, name.length);
    requireEthernet(fd, link);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Sends a frame as it is. @throws CleatError System with ENETDOWN, ENXIO (the link is gone), ENOBUFS, EAGAIN */
export function sendFrame(fd: number, link: string, frame: Uint8Array): void {
  const bytes = Buffer.from(frame);
  const prototype = 'long send(int fd, const void *data, unsigned long length, int flags)';
  callC(prototype, link, fd, bytes, bytes.length, MSG_DONTWAIT);
}

function attach(fd: number, link: string, program: readonly Instruction[]): void {
  const instructions = Buffer.allocUnsafeSlow(program.length * 8);
  for (const [at, [code, whenTrue, whenFalse, value]] of program.entries()) {
    instructions.writeUInt16LE(code, at * 8);
    instructions.writeUInt8(whenTrue, at * 8 + 2);
    instructions.writeUInt8(whenFalse, at * 8 + 3);
    instructions.writeUInt32LE(value, at * 8 + 4);
  }
  // `struct sock_fprog` of a 64-bit host.
  const filter = Buffer.alloc(16);
  filter.writeUInt16LE(program.length, 0);
  filter.writeBigUInt64LE(addressOf(instructions), 8);
  const prototype = 'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)';
  callC(prototype, `filter of ${link}`, fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, filter.length);
}

function indexOf(link: string): number {
  const index = callC('unsigned int if_nametoindex(const char *name)', link, link);
  if (index === 0) throw syscallError('if_nametoindex', link, constants.errno.ENODEV);
  return index;
}

/** The kernel tells the kind of the link with the socket's name. */
function requireEthernet(fd: number, link: string): void {
  const name = Buffer.alloc(nameSize);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(nameSize);
  callC('int getsockname(int fd, void *name, void *length)', link, fd, name, length);
  if (name.readUInt16LE(8) !== ARPHRD_ETHER) throw invalidParameter(`${link} is no Ethernet link`);
}
