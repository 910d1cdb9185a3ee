import { closeSync, constants, openSync } from 'node:fs';
import { notFound, unavailable } from '@cleat/protocol/errors';
import { SeqpacketSocket } from 'node-unix-socket';
import { errnoOf } from '../syscall/errno.js';

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
/** A packet is at most 8 KiB and its first byte today; room for a conmon that changes its mind. */
const readBufferSize = 64 * 1024;
/** conmon reads at most 32 KiB of a packet and drops the rest. */
const writeLimit = 32_000;

/** A connection to a conmon's attach socket. Output missed is never repeated: the spool has it. */
export class Attach {
  readonly #socket: SeqpacketSocket;
  #closed = false;
  #settlePending = new Set<(error: Error) => void>();
  #writing: Promise<void> = Promise.resolve();
  #onEnd: (() => void) | undefined;

  private constructor(socket: SeqpacketSocket, handlers: AttachHandlers) {
    this.#socket = socket;
    this.#onEnd = handlers.onEnd?.bind(handlers);
    socket.setInternalReadBufferSize(readBufferSize);
    socket.on('data', (packet: Buffer) => {
      if (packet.length === 0) return;
      handlers.onData({ stream: packet[0] === stderrPipe ? 2 : 1, data: packet.subarray(1) });
    });
    socket.on('end', () => this.#finish());
    socket.on('close', () => this.#finish());
    // The other end went away in the middle of something: that is an end like any other.
    socket.on('error', () => this.#finish());
  }

  /**
   * Connects to the `attach` socket in a bundle or session directory, however long its path is.
   * @throws CleatError NotFound when nobody listens there (conmon has ended, or has not begun), Unavailable
   */
  static async connect(directory: string, handlers: AttachHandlers): Promise<Attach> {
    let fd: number;
    try {
      fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (cause) {
      throw notFound(`no attach socket in ${directory}`, { cause });
    }
    const socket = new SeqpacketSocket();
    const attach = new Attach(socket, handlers);
    try {
      await new Promise<void>((resolve, reject) => {
        attach.#settlePending.add(reject);
        socket.once('error', reject);
        // sun_path holds 107 bytes; through the descriptor any directory fits.
        socket.connect(`/proc/self/fd/${fd}/attach`, () => {
          socket.removeListener('error', reject);
          attach.#settlePending.delete(reject);
          resolve();
        });
      });
      return attach;
    } catch (cause) {
      attach.close();
      const errno = errnoOf(cause) ?? String(cause);
      if (/ENOENT|ECONNREFUSED|No such file|Connection refused/.test(errno)) {
        throw notFound(`nobody listens on the attach socket in ${directory}`, { cause });
      }
      throw unavailable(`the attach socket in ${directory} cannot be reached`, { cause });
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Writes to the process's stdin, in order; resolves when conmon has it, so await it and a slow reader costs no
   * memory. @throws CleatError Unavailable when the connection has ended
   */
  write(data: Buffer): Promise<void> {
    const turn = this.#writing.then(() => this.#writeAll(data));
    // The next writer waits for this one whatever becomes of it; each sees its own failure.
    this.#writing = turn.catch(() => {});
    return turn;
  }

  async #writeAll(data: Buffer): Promise<void> {
    for (let offset = 0; offset < data.length; offset += writeLimit) {
      // SOCK_SEQPACKET keeps boundaries: a packet that is too long would be cut silently.
      await this.#writePacket(Buffer.from(data.subarray(offset, offset + writeLimit)));
    }
  }

  #writePacket(packet: Buffer): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (this.#closed) {
        reject(unavailable('the process does not read its standard input any more'));
        return;
      }
      this.#settlePending.add(reject);
      this.#socket.write(packet, 0, packet.length, () => {
        this.#settlePending.delete(reject);
        resolve();
      });
    });
  }

  /** Ends stdin after what was written; output goes on. Closing the socket instead would discard pending input. */
  async closeInput(): Promise<void> {
    await this.#writing;
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#settlePending.add(() => resolve());
      this.#socket.end(() => resolve());
    });
  }

  /** Leaves. Input that conmon has not read yet is lost. */
  close(): void {
    this.#onEnd = undefined;
    this.#finish();
  }

  get closed(): boolean {
    return this.#closed;
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    const gone = unavailable('the process does not read its standard input any more');
    for (const settle of this.#settlePending) settle(gone);
    this.#settlePending.clear();
    this.#onEnd?.();
  }
}
