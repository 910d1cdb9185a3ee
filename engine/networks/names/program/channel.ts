import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { datagramsInside } from '@cleat/linux/net/dial-inside';
import { setTimeout } from '@cleat/protocol/guard';
import { answersTo, type Query } from './message.js';

/** After that long another socket takes its place: a forger of answers has to find its port anew. */
const lifetimeMs = 10_000;

interface Waiting {
  query: Query;
  settle: (answer: Buffer | Error) => void;
}

/**
 * One socket to one name server, for many questions at a time. An answer must come from that server, with the random
 * number of a question that waits, and repeat it.
 */
export class Channel {
  readonly #socket: Socket;
  readonly #connected: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #lifetime: NodeJS.Timeout;
  #retired = false;
  #closed = false;

  /**
   * @param from file of the network namespace that it asks from; empty: the engine's own
   * @throws CleatError System when the namespace is gone
   */
  constructor(from: string, server: string, port: number, onRetired: () => void) {
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    this.#socket = socket;
    this.#connected = new Promise((resolve, reject) => {
      // Connected, so that only that server is heard, and that nobody listens there.
      const connect = () => socket.connect(port, server, (error?: Error) => (error ? reject(error) : resolve()));
      socket.on('error', (error) => {
        reject(error);
        this.#fail(error);
      });
      if (from) socket.bind({ fd: datagramsInside(from, server) }, connect);
      else connect();
    });
    const retire = () => {
      onRetired();
      this.retire();
    };
    // A socket that leads nowhere is made anew for the next question: a way may have come.
    this.#connected.catch(retire);
    socket.on('message', (answer) => this.#receive(answer));
    this.#lifetime = setTimeout(retire, lifetimeMs);
    this.#lifetime.unref();
  }

  /** @throws when the server is not there, `signal` aborts, or the channel was closed */
  ask(query: Query, signal: AbortSignal): Promise<Buffer> {
    return new Promise<Buffer>((resolve, reject) => {
      if (this.#closed || signal.aborted) {
        reject(new Error('the question is no longer wanted'));
        return;
      }
      const id = this.#freeNumber();
      const abort = () => settle(new Error('no answer'));
      const settle = (answer: Buffer | Error) => {
        this.#waiting.delete(id);
        signal.removeEventListener('abort', abort);
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
        if (this.#retired && this.#waiting.size === 0) this.close();
      };
      this.#waiting.set(id, { query, settle });
      signal.addEventListener('abort', abort, { once: true });
      const message = Buffer.from(query.message);
      message.writeUInt16BE(id, 0);
      this.#connected.then(
        () => {
          if (!this.#closed && this.#waiting.has(id)) this.#socket.send(message, (error) => error && settle(error));
        },
        (error: Error) => settle(error),
      );
    });
  }

  #freeNumber(): number {
    for (;;) {
      const id = randomInt(0x10000);
      if (!this.#waiting.has(id)) return id;
    }
  }

  #receive(answer: Buffer): void {
    if (answer.length < 2) return;
    const waiting = this.#waiting.get(answer.readUInt16BE(0));
    if (!waiting || !answersTo(answer, waiting.query)) return;
    waiting.query.message.copy(answer, 0, 0, 2);
    waiting.settle(answer);
  }

  /** The sent questions may have been refused: all of them failed. */
  #fail(error: Error): void {
    for (const { settle } of [...this.#waiting.values()]) settle(error);
  }

  /** No further question is asked here; it closes when the last one has ended. */
  retire(): void {
    this.#retired = true;
    if (this.#waiting.size === 0) this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#lifetime);
    this.#fail(new Error('the name service ends'));
    this.#socket.close();
  }
}
