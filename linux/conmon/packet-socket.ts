import { closeSync, readSync } from 'node:fs';
import { unavailable } from '@cleat/protocol/errors';
import { setImmediate } from '@cleat/protocol/guard';
import { SeqpacketSocket } from 'node-unix-socket';
import { errnoOf } from '../syscall/errno.js';
import { connectSeqpacket, duplicate } from '../syscall/socket.js';

export interface PacketHandlers {
  onPacket(packet: Buffer): void;
  /** Called once, when no more packets come. */
  onEnd(): void;
}

/** A packet is at most 8 KiB and its first byte today; room for a conmon that changes its mind. */
const readBufferSize = 64 * 1024;

/**
 * A connection that keeps the boundaries of packets, whose two halves end by themselves: a peer that takes no more, or
 * closed with some of ours unread, may have said much before, and all of it is read. The library's socket ends as a
 * whole at the first error of either half; the rest is then read through another descriptor of the connection.
 */
export class PacketSocket {
  readonly #handlers: PacketHandlers;
  readonly #fd: number;
  #writer: SeqpacketSocket;
  #reader: SeqpacketSocket | undefined;
  #writable = true;
  #ended = false;
  readonly #pending = new Set<(error: Error) => void>();

  /** @throws CleatError System with ENOENT, ECONNREFUSED, EAGAIN */
  constructor(path: string, handlers: PacketHandlers) {
    this.#handlers = handlers;
    this.#fd = connectSeqpacket(path);
    try {
      this.#writer = this.#open(this.#fd);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
    this.#writer.on('error', () => this.#onBroken());
  }

  /** Nobody takes more input. */
  get inputClosed(): boolean {
    return !this.#writable;
  }

  /** Resolves when the kernel has it. @throws Unavailable when the peer takes no more */
  write(packet: Buffer): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (!this.#writable) return void reject(inputGone());
      this.#pending.add(reject);
      this.#writer.write(packet, 0, packet.length, () => {
        this.#pending.delete(reject);
        resolve();
      });
    });
  }

  /** Half-closes, after what was written; a peer that takes no more has had its end already. */
  endInput(): Promise<void> {
    return new Promise<void>((resolve) => {
      if (!this.#writable) return void resolve();
      this.#pending.add(() => resolve());
      try {
        this.#writer.end(() => resolve());
      } catch {
        // ENOTCONN: it has gone.
        resolve();
      }
    });
  }

  /** Leaves: nothing more is reported, and what the peer has not read yet is lost. */
  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closeInput();
    // Not within one of its own events: the library goes on reading from a descriptor that somebody else may have then.
    setImmediate(() => {
      this.#writer.destroy();
      this.#reader?.destroy();
    });
  }

  #open(fd: number): SeqpacketSocket {
    const socket = new SeqpacketSocket(fd);
    socket.setInternalReadBufferSize(readBufferSize);
    socket.on('data', (packet: Buffer) => this.#deliver(packet));
    socket.on('end', () => this.#end());
    return socket;
  }

  /** An error of a handler ends this connection: within the library it would end the process. */
  #deliver(packet: Buffer): void {
    if (this.#ended || packet.length === 0) return;
    try {
      this.#handlers.onPacket(packet);
    } catch {
      this.#end();
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.destroy();
    this.#handlers.onEnd();
  }

  #closeInput(): void {
    this.#writable = false;
    for (const reject of this.#pending) reject(inputGone());
    this.#pending.clear();
  }

  /** The library closes its descriptor as soon as this returns. */
  #onBroken(): void {
    if (this.#ended) return;
    this.#closeInput();
    let fd: number | undefined;
    try {
      if (!this.#drain(this.#fd)) throw inputGone();
      fd = duplicate(this.#fd);
      this.#reader = this.#open(fd);
    } catch {
      // It has ended, or there are no descriptors left: what came so far is all that can be had.
      if (fd !== undefined) closeSync(fd);
      this.#end();
      return;
    }
    // After a broken connection was drained, a second failure can only be its end.
    this.#reader.on('error', () => {
      if (!this.#ended && fd !== undefined) this.#drain(fd);
      this.#end();
    });
  }

  /** Reads what is there. @returns whether there may be more later */
  #drain(fd: number): boolean {
    const buffer = Buffer.allocUnsafe(readBufferSize);
    let resets = 0;
    while (!this.#ended) {
      try {
        const length = readSync(fd, buffer);
        if (length === 0) return false;
        this.#deliver(Buffer.from(buffer.subarray(0, length)));
      } catch (error) {
        // The peer closed with input unread: the kernel says so once, and then gives what it had sent.
        if (errnoOf(error) === 'ECONNRESET' && resets++ === 0) continue;
        return errnoOf(error) === 'EAGAIN';
      }
    }
    return false;
  }
}

const inputGone = () => unavailable('the process no longer reads its standard input');
