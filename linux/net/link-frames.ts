import { closeSync } from 'node:fs';
import { setImmediate } from '@cleat/protocol/guard';
import { SeqpacketSocket } from 'node-unix-socket';
import { openPacketSocket, sendFrame } from '../syscall/packet.js';

export interface FrameHandlers {
  onFrame(frame: Buffer): void;
  /** Called once, when no more frames come: the link went down or away. */
  onEnd(): void;
}

/**
 * Ethernet frames of a link, in and out, for protocols that a host speaks before it has an address. Those that come in
 * are IPv4 packets of UDP to one port, cut off after 2048 bytes; nothing in them was checked.
 */
export class LinkFrames {
  readonly #link: string;
  readonly #fd: number;
  readonly #socket: SeqpacketSocket;
  readonly #handlers: FrameHandlers;
  #ended = false;

  /** @throws CleatError System with ENODEV, ENETDOWN; InvalidParameter for what is no Ethernet link */
  constructor(link: string, port: number, handlers: FrameHandlers) {
    this.#link = link;
    this.#handlers = handlers;
    this.#fd = openPacketSocket(link, port);
    try {
      // The library reads any socket that keeps the boundaries of packets, and closes the descriptor.
      this.#socket = new SeqpacketSocket(this.#fd);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
    this.#socket.on('data', (frame: Buffer) => this.#deliver(frame));
    this.#socket.on('error', () => this.#end());
    this.#socket.on('end', () => this.#end());
  }

  /** @throws CleatError System with ENETDOWN, ENXIO, ENOBUFS; EBADF once it has ended */
  send(frame: Uint8Array): void {
    sendFrame(this.#ended ? -1 : this.#fd, this.#link, frame);
  }

  /** Nothing more is reported. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    // Not within one of its own events: the library goes on reading from a descriptor that somebody else may have then.
    setImmediate(() => this.#socket.destroy());
  }

  /** An error of a handler ends this socket: within the library it would end the process. */
  #deliver(frame: Buffer): void {
    if (this.#ended) return;
    try {
      this.#handlers.onFrame(frame);
    } catch {
      this.#end();
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.close();
    this.#handlers.onEnd();
  }
}
