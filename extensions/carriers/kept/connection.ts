import { AsyncResource } from 'node:async_hooks';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Reply } from '@cleat/protocol/answer';
import type { Ending } from '@cleat/protocol/async/deadline';
import { pluginMediaType } from '@cleat/protocol/dispatch';
import type { Ways } from '../connect.js';
import { type PlainHead, readPlainHead } from './plain-answer.js';
import { takenOver } from './taken-over.js';

/** The most that is read here; a longer answer is refused where others are. */
const maxBodyBytes = 16 * 1024 * 1024;

/** How long a connection that nobody uses is kept, in ms. */
const keptMs = 10_000;

const headers = `Accept: ${pluginMediaType}\r\nContent-Type: ${pluginMediaType}\r\nConnection: keep-alive\r\n`;

/** The caller waits no longer, for that reason. */
export class Over {
  constructor(readonly reason: unknown) {}
}

/** Work on a connection belongs to none of those who use it, not even to the first. */
const nobodys = new AsyncResource('kept connection of an extension');

/** No answer came. */
export class Broken {
  constructor(readonly error: unknown) {}
}

/** An answer, the rest of the connection if Node's client has to read it, or why there is neither. */
export type Outcome = Reply | Duplex | Over | Broken;

/** Hears an outcome, once, as soon as it is known: a promise would let others run first. Must not throw. */
export type OnOutcome = (outcome: Outcome) => void;

/**
 * A connection to an extension that stays, for one message after the other. What most extensions answer is read here,
 * which costs a fifth of what Node's client does; the rest is handed to that client.
 */
export class KeptConnection {
  readonly #host: string;
  readonly #socket: Socket;
  /** Somebody waits for an answer. */
  #waiting: OnOutcome | undefined;
  /** Has that caller's ending forget the wait. */
  #release: (() => void) | undefined;
  /** An answer of which a part has come. */
  #coming: { readonly head: PlainHead; readonly body: Buffer; size: number } | undefined;
  #keptMs = keptMs;
  #connected = false;
  /** How many answers have come on it. */
  #served = 0;
  #reused = false;
  #answering = false;
  /** Node's client has it. */
  #handedOver = false;

  constructor({ connect, ready, host }: Ways) {
    this.#host = host;
    this.#socket = nobodys.runInAsyncScope(connect);
    this.#socket
      .once(ready, () => {
        this.#connected = true;
      })
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('error', this.#onError)
      .on('timeout', () => {
        if (!this.#waiting) this.destroy();
      })
      .setTimeout(keptMs);
  }

  /** Whether the last message can have left. */
  get wasConnected(): boolean {
    return this.#connected;
  }

  /** Whether an answer had come on it before the last message was sent. */
  get wasReused(): boolean {
    return this.#reused;
  }

  /** Whether an answer to the last message has begun. */
  get wasAnswering(): boolean {
    return this.#answering;
  }

  /** Whether another message can be sent on it. */
  get isFree(): boolean {
    return !(this.#waiting || this.#handedOver || this.#socket.destroyed) && this.#socket.writableLength === 0;
  }

  /** Sends a message while it {@link isFree}. */
  ask(path: string, body: string, ending: Ending, onOutcome: OnOutcome): void {
    this.#waiting = onOutcome;
    const release = ending.whenOver((reason) => {
      this.#socket.destroy();
      this.#settle(new Over(reason));
    });
    // It was over already.
    if (this.#waiting !== onOutcome) return;
    this.#release = release;
    this.#reused = this.#served > 0;
    this.#answering = false;
    const length = Buffer.byteLength(body);
    const request = `POST ${path} HTTP/1.1\r\n${headers}Content-Length: ${length}\r\nHost: ${this.#host}\r\n\r\n${body}`;
    // ASCII is sent quicker as such.
    this.#socket.write(request, length === body.length ? 'latin1' : 'utf8');
  }

  /** Closes it, and tells the caller that waits for an answer, unless it was handed over: its reader closes it then. */
  destroy(): void {
    if (this.#handedOver) return;
    this.#socket.destroy();
    this.#settle(new Broken(new Error('it was closed')));
  }

  readonly #onData = (bytes: Buffer): void => {
    // Nobody asked.
    if (!this.#waiting) this.destroy();
    else if (this.#coming) this.#append(bytes);
    else this.#begin(bytes);
  };

  #begin(bytes: Buffer): void {
    this.#answering = true;
    const head = readPlainHead(bytes);
    if (!head || head.length > maxBodyBytes || bytes.length > head.size + head.length) this.#handOver(bytes);
    else if (bytes.length === head.size + head.length) this.#answer(head, bytes.toString('utf8', head.size));
    else {
      // One piece of memory, however small the parts are in which it comes.
      this.#coming = { head, body: Buffer.allocUnsafeSlow(head.length), size: 0 };
      this.#append(bytes.subarray(head.size));
    }
  }

  #append(bytes: Buffer): void {
    if (!this.#coming) return;
    const { head, body } = this.#coming;
    bytes.copy(body, this.#coming.size);
    this.#coming.size += bytes.length;
    if (this.#coming.size < head.length) return;
    // More than the answer: nobody asked for the rest.
    if (this.#coming.size > head.length) this.#socket.destroy();
    this.#answer(head, body.toString('utf8'));
  }

  #answer({ status, keptSeconds }: PlainHead, text: string): void {
    // It answered before it had the whole request.
    if (this.#socket.writableLength > 0) this.#socket.destroy();
    this.#keep(keptSeconds);
    this.#served++;
    this.#settle({ status, text });
  }

  /** As the other side says how long it keeps it: less, so that nobody writes while it closes. */
  #keep(seconds: number | undefined): void {
    const ms = Math.min(keptMs, seconds === undefined ? keptMs : (seconds - 1) * 1000);
    if (ms === this.#keptMs) return;
    this.#keptMs = ms;
    if (ms <= 0) this.#socket.destroy();
    else this.#socket.setTimeout(ms);
  }

  #handOver(bytes: Buffer): void {
    this.#handedOver = true;
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError).setTimeout(0);
    this.#settle(takenOver(this.#socket, bytes));
  }

  readonly #onEnd = (): void => {
    this.#socket.destroy();
    this.#settle(new Broken(new Error(this.#coming ? 'its answer broke off' : 'socket hang up')));
  };

  /** Stays: what fails while nobody waits is seen when the connection is to be used. */
  readonly #onError = (error: Error): void => {
    this.#settle(new Broken(error));
  };

  /** Ends the wait for an answer, if somebody waits. */
  #settle(outcome: Outcome): void {
    const waiting = this.#waiting;
    const release = this.#release;
    this.#waiting = this.#release = this.#coming = undefined;
    release?.();
    waiting?.(outcome);
  }
}
