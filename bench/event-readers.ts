import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const ends = Buffer.from('"Action":"destroy"');
const beginnings = Buffer.from('"Action":"create"');
/** A piece may end within a word that is counted. */
const kept = Math.max(ends.length, beginnings.length) - 1;

/** Clients that read the engine's events and count containers that came and went. */
export class EventReaders implements Disposable {
  readonly #readers: Reader[];

  private constructor(readers: Reader[]) {
    this.#readers = readers;
  }

  static async open(socketPath: string, count: number): Promise<EventReaders> {
    const readers: Reader[] = [];
    // A listener's queue is shorter than a thousand.
    while (readers.length < count) {
      const some = Array.from({ length: Math.min(100, count - readers.length) }, () => new Reader(socketPath));
      await Promise.all(some.map((reader) => reader.ready));
      readers.push(...some);
    }
    return new EventReaders(readers);
  }

  /** Until each of them has seen as many containers come, and go. @throws Error when one of them is ended before */
  async seen(containers: number): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.seen(containers)));
  }

  /** How many of them have not seen as many come and go in this time, in ms. */
  async missing(containers: number, withinMs: number): Promise<number> {
    const end = Date.now() + withinMs;
    const late = () => this.#readers.filter((reader) => !reader.has(containers)).length;
    while (late() > 0 && Date.now() < end) await sleep(20);
    return late();
  }

  [Symbol.dispose](): void {
    for (const reader of this.#readers) reader.close();
  }
}

class Reader {
  readonly ready: Promise<unknown>;
  readonly #socket: Socket;
  #created = 0;
  #destroyed = 0;
  #rest = Buffer.alloc(0);
  #onPiece: () => void = () => {};

  constructor(socketPath: string) {
    this.#socket = connect(socketPath);
    this.#socket.write('GET /events HTTP/1.1\r\nHost: docker\r\n\r\n');
    // The head comes when the engine has taken it on.
    this.ready = once(this.#socket, 'data');
    this.#socket.on('data', (chunk: Buffer) => this.#count(chunk));
  }

  #count(chunk: Buffer): void {
    const piece = Buffer.concat([this.#rest, chunk]);
    this.#created += occurrences(piece, beginnings, this.#rest.length);
    this.#destroyed += occurrences(piece, ends, this.#rest.length);
    this.#rest = piece.subarray(Math.max(0, piece.length - kept));
    this.#onPiece();
  }

  has(containers: number): boolean {
    return this.#created >= containers && this.#destroyed >= containers;
  }

  seen(containers: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.has(containers)) resolve();
      };
      this.#socket.once('close', () =>
        reject(new Error(`a reader saw ${this.#created} containers come and ${this.#destroyed} go, of ${containers}`)),
      );
      this.#onPiece = look;
      look();
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** @param known bytes at the beginning that were searched before: a word that lies in them alone is counted */
function occurrences(text: Buffer, word: Buffer, known: number): number {
  let count = 0;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (at + word.length > known) count++;
  }
  return count;
}
