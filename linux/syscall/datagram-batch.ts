import { endianness } from 'node:os';
import { addressOf, tryC } from './ffi.js';

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
/** `struct sockaddr_in`, `iovec` and `mmsghdr` of a 64-bit host (ip(7), readv(2), recvmmsg(2)). */
const sizes = { name: 16, vector: 16, header: 64 } as const;

/** An IPv4 datagram; `from` is a view on the address of who sent it, for the answer. */
export interface Received {
  readonly message: Buffer;
  readonly from: Buffer;
}

/** An answer, and whose question it answers. */
export interface Answered {
  readonly message: Buffer;
  readonly to: Buffer;
}

/** Places for so many datagrams of so many bytes, as recvmmsg(2) and sendmmsg(2) take them. */
class Slots {
  readonly names: Buffer;
  readonly data: Buffer;
  readonly headers: Buffer;
  readonly #vectors: Buffer;

  constructor(
    readonly count: number,
    readonly bytes: number,
  ) {
    // Not from a pool: their addresses are fixed as long as they are.
    this.names = Buffer.allocUnsafeSlow(count * sizes.name).fill(0);
    this.data = Buffer.allocUnsafeSlow(count * bytes).fill(0);
    this.headers = Buffer.allocUnsafeSlow(count * sizes.header).fill(0);
    this.#vectors = Buffer.allocUnsafeSlow(count * sizes.vector).fill(0);
    const [names, data, vectors] = [addressOf(this.names), addressOf(this.data), addressOf(this.#vectors)];
    for (let at = 0; at < count; at++) {
      this.#vectors.writeBigUInt64LE(data + BigInt(at * bytes), at * sizes.vector);
      const header = at * sizes.header;
      this.headers.writeBigUInt64LE(names + BigInt(at * sizes.name), header);
      this.headers.writeBigUInt64LE(vectors + BigInt(at * sizes.vector), header + 16);
      this.headers.writeBigUInt64LE(1n, header + 24);
      this.reset(at, bytes);
    }
  }

  /** @param length of the room, or of the datagram that is to be sent */
  reset(at: number, length: number): void {
    this.headers.writeUInt32LE(sizes.name, at * sizes.header + 8);
    this.#vectors.writeUInt32LE(length, at * sizes.vector + 8);
  }
}

/**
 * Receives and sends many datagrams with one system call, where Node needs one for each and an event, too. Calls are
 * synchronous, and never wait.
 */
export class DatagramBatch {
  readonly #received: Slots;
  readonly #sent: Slots;

  /** @param bytes the longest of each that is taken as it is */
  constructor(count: number, bytes: { received: number; sent: number }) {
    this.#received = new Slots(count, bytes.received);
    this.#sent = new Slots(count, bytes.sent);
  }

  /** Whether this host lays structures out as it is written here. */
  static readonly isPossible = endianness() === 'LE' && (process.arch === 'x64' || process.arch === 'arm64');

  /**
   * The datagrams that are there now, at most as many as there is room for; longer ones are cut off. All of it is valid
   * until the next call.
   */
  receive(fd: number): Received[] {
    const { names, data, headers, count, bytes } = this.#received;
    const prototype = 'int recvmmsg(int fd, void *all, unsigned int count, int flags, void *timeout)';
    // Usually it fails because there is nothing. Whatever else it is, the next event tells.
    const found = tryC(prototype, fd, headers, count, flags, null);
    const all: Received[] = [];
    for (let at = 0; at < found; at++) {
      const length = headers.readUInt32LE(at * sizes.header + 56);
      this.#received.reset(at, bytes);
      const message = data.subarray(at * bytes, at * bytes + length);
      all.push({ message, from: names.subarray(at * sizes.name, (at + 1) * sizes.name) });
    }
    return all;
  }

  /** @returns how many of them went out, from the first on */
  send(fd: number, all: readonly Answered[]): number {
    const { names, data, headers, bytes, count } = this.#sent;
    let filled = 0;
    for (const { message, to } of all) {
      if (filled === count || message.length > bytes) break;
      message.copy(data, filled * bytes);
      to.copy(names, filled * sizes.name);
      this.#sent.reset(filled, message.length);
      filled++;
    }
    if (filled === 0) return 0;
    const prototype = 'int sendmmsg(int fd, void *all, unsigned int count, int flags)';
    return Math.max(0, tryC(prototype, fd, headers, filled, flags));
  }
}

/** The sender's or receiver's address (`struct sockaddr_in`). */
export const addressIn = (name: Buffer): { address: string; port: number } => ({
  address: name.subarray(4, 8).join('.'),
  port: name.readUInt16BE(2),
});
