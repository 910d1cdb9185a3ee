import { closeSync, constants, openSync } from 'node:fs';
import { notFound, unavailable } from '@cleat/protocol/errors';
import { errnoOf } from '../syscall/errno.js';
import type { PacketHandlers, PacketSocket } from './packet-socket.js';

/** A piece of output. On a terminal everything is stream 1. */
export interface AttachFrame {
  stream: 1 | 2;
  /** Valid after the handler returns; nobody reuses it. */
  data: Buffer;
}

export interface AttachHandlers {
  /** Called at once for each packet: the socket is always drained, or the container would freeze. */
  onData(frame: AttachFrame): void;
  /** Called once, when conmon is done with us or gone. */
  onEnd?(): void;
}

/** conmon's stdpipe_t (src/utils.h): 2 is stdout, 3 is stderr. */
const stderrPipe = 3;
/** conmon reads at most 32 KiB of a packet and drops the rest. */
const writeLimit = 32_000;

/** Its library is loaded with the first connection, unless somebody has had it loaded before. */
export const loadAttach = () => import('./packet-socket.js');

/** A connection to a conmon's attach socket. Output missed is never repeated: the spool has it. */
export class Attach {
  readonly #socket: PacketSocket;
  #closed = false;
  #writing: Promise<void> = Promise.resolve();

  private constructor(open: (handlers: PacketHandlers) => PacketSocket, handlers: AttachHandlers) {
    this.#socket = open({
      onPacket: (packet) => handlers.onData({ stream: packet[0] === stderrPipe ? 2 : 1, data: packet.subarray(1) }),
      onEnd: () => {
        this.#closed = true;
        handlers.onEnd?.();
      },
    });
  }

  /**
   * Connects to the `attach` socket in a bundle or session directory, however long its path is.
   * @throws CleatError NotFound when nobody listens there (conmon has ended, or has not begun), Unavailable
   */
  static async connect(directory: string, handlers: AttachHandlers): Promise<Attach> {
    const { PacketSocket } = await loadAttach();
    let fd: number;
    try {
      fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (cause) {
      if (errnoOf(cause) !== 'ENOENT') {
        throw unavailable(`the attach socket in ${directory} cannot be reached`, { cause });
      }
      throw notFound(`no attach socket in ${directory}`, { cause });
    }
    try {
      // sun_path holds 107 bytes; through the descriptor any directory fits.
      return new Attach((heard) => new PacketSocket(`/proc/self/fd/${fd}/attach`, heard), handlers);
    } catch (cause) {
      if (['ENOENT', 'ECONNREFUSED'].includes(errnoOf(cause) ?? '')) {
        throw notFound(`nobody listens on the attach socket in ${directory}`, { cause });
      }
      throw unavailable(`the attach socket in ${directory} cannot be reached`, { cause });
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Writes to the process's stdin, in order; resolves when conmon has it, so await it and a slow reader costs no
   * memory. A process that reads no more may still print: its output goes on.
   * @param signal aborted, what has not had its turn is dropped: a writer that left costs no memory
   * @throws CleatError Unavailable when nobody reads
   */
  write(data: Buffer, signal?: AbortSignal): Promise<void> {
    let pending: Buffer | undefined = data;
    const drop = (): void => {
      pending = undefined;
    };
    signal?.addEventListener('abort', drop, { once: true });
    const turn = this.#writing.then(async () => {
      signal?.removeEventListener('abort', drop);
      if (pending && !signal?.aborted) await this.#writeAll(pending);
    });
    // The next writer waits for this one whatever becomes of it; each sees its own failure.
    this.#writing = turn.catch(() => {});
    return turn;
  }

  async #writeAll(data: Buffer): Promise<void> {
    for (let offset = 0; offset < data.length; offset += writeLimit) {
      // SOCK_SEQPACKET keeps boundaries: a packet that is too long would be cut silently.
      await this.#socket.write(Buffer.from(data.subarray(offset, offset + writeLimit)));
    }
  }

  /** Ends stdin after what was written; output goes on. Closing the socket instead would discard pending input. */
  async closeInput(): Promise<void> {
    await this.#writing;
    await this.#socket.endInput();
  }

  /** Leaves. Input that conmon has not read yet is lost. */
  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  get closed(): boolean {
    return this.#closed;
  }
}
