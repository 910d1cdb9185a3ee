import { randomInt } from 'node:crypto';
import { Backoff } from '@cleat/protocol/async/backoff';
import { unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { Refusal } from './answers.js';
import type { OpenPort, Port } from './port.js';
import { everybody } from './wire/frame.js';
import { type DhcpMessage, decodeMessage, encodeMessage } from './wire/message.js';

/** A message that waits for its answer. */
export interface Question<T> {
  readonly link: string;
  readonly mac: string;
  readonly options: DhcpMessage['options'];
  /** Takes an answer, refuses it, or passes over what is for others. */
  read(message: DhcpMessage, serverMac: string): T | Refusal | undefined;
}

export interface Patience {
  readonly ms: number;
  readonly signal: AbortSignal;
}

const pauses = { firstMs: 1_000, longestMs: 8_000 };
/** How many reasons an error tells. */
const maxReasons = 4;

/**
 * Asks everybody on a link, again and again, until an answer is taken. The socket is open for no longer than that. Answers
 * are asked for by broadcast: the client's address is a container's, if it is anybody's yet.
 * @throws Unavailable when no answer is taken in time, with the reasons of those that were refused; NotFound without the
 * link; the signal's reason
 */
export function ask<T>(open: OpenPort, question: Question<T>, patience: Patience): Promise<T> {
  patience.signal.throwIfAborted();
  return new Promise((resolve, reject) => new Exchange(open, question, patience, resolve, reject));
}

class Exchange<T> {
  readonly #question: Question<T>;
  readonly #patience: Patience;
  readonly #resolve: (answer: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #transaction = randomInt(2 ** 32);
  readonly #began = performance.now();
  readonly #pauses = new Backoff(pauses);
  readonly #reasons = new Set<string>();
  readonly #onAbort = () => this.#fail(this.#patience.signal.reason);
  readonly #deadline: NodeJS.Timeout;
  #next: NodeJS.Timeout | undefined;
  #port: Port | undefined;

  constructor(
    open: OpenPort,
    question: Question<T>,
    patience: Patience,
    resolve: (answer: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#question = question;
    this.#patience = patience;
    this.#resolve = resolve;
    this.#reject = reject;
    patience.signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#deadline = setTimeout(() => this.#fail(this.#late()), patience.ms);
    try {
      this.#port = open(question.link, {
        onMessage: (payload, mac) => this.#hear(payload, mac),
        onEnd: () => this.#fail(unavailable(`the interface ${question.link} went down`)),
      });
      this.#send();
    } catch (error) {
      this.#fail(error);
    }
  }

  #send(): void {
    const { mac, options } = this.#question;
    const message = encodeMessage({
      operation: 'request',
      transaction: this.#transaction,
      seconds: Math.floor((performance.now() - this.#began) / 1000),
      broadcast: true,
      clientAddress: '0.0.0.0',
      yourAddress: '0.0.0.0',
      mac,
      options,
    });
    this.#port?.send(message, { mac, address: '0.0.0.0' }, everybody);
    this.#next = setTimeout(() => this.#again(), this.#pauses.next());
  }

  #again(): void {
    try {
      this.#send();
    } catch (error) {
      this.#fail(error);
    }
  }

  #hear(payload: Buffer, serverMac: string): void {
    // Most of what comes in is for other clients of the network.
    if (payload.length < 8 || payload.readUInt32BE(4) !== this.#transaction) return;
    const answer = this.#read(payload, serverMac);
    if (answer === undefined) return;
    if (!(answer instanceof Refusal)) {
      this.#end();
      this.#resolve(answer);
    } else if (this.#reasons.size < maxReasons) {
      this.#reasons.add(answer.reason);
    }
  }

  #read(payload: Buffer, serverMac: string): T | Refusal | undefined {
    const message = decodeMessage(payload);
    if (typeof message === 'string') return new Refusal(message);
    if (message.operation !== 'reply') return undefined;
    if (message.mac !== this.#question.mac) return new Refusal(`it is for ${message.mac}`);
    return this.#question.read(message, serverMac);
  }

  #late(): Error {
    const { link } = this.#question;
    const said = `no DHCP server gave an address on ${link} within ${Math.ceil(this.#patience.ms / 1000)} s`;
    if (this.#reasons.size === 0) return unavailable(`${said}: is there one on that network, with addresses left?`);
    return unavailable(`${said}; answers that make no sense: ${[...this.#reasons].join('; ')}`);
  }

  #fail(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#next);
    this.#patience.signal.removeEventListener('abort', this.#onAbort);
    this.#port?.close();
    this.#port = undefined;
  }
}
