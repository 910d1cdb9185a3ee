import type { OutgoingHttpHeaders } from 'node:http';
import type { ApiResponse } from './messages.js';

/** An answer, or the head of one that is a stream. */
export interface Answer {
  readonly status: number;
  /** All that will be sent, names as they are sent. */
  readonly headers: OutgoingHttpHeaders;
  /** Undefined for a stream. */
  readonly body: Buffer | undefined;
}

/** Looks at an answer before the client sees any of it; what it throws is the answer instead. */
export type AnswerCheck = (answer: Answer) => Promise<void>;

/**
 * The way of an answer to the client. Nobody may be asking to look at it: then it is sent at once. Otherwise a whole
 * answer is held until {@link Outgoing.finish}, and a stream waits before its head.
 */
export class Outgoing {
  readonly #response: ApiResponse;
  readonly #method: string;
  readonly #checks: AnswerCheck[] = [];
  #held: Answer | undefined;

  constructor(response: ApiResponse, method: string) {
    this.#response = response;
    this.#method = method;
  }

  addCheck(check: AnswerCheck): void {
    this.#checks.push(check);
  }

  /** A whole answer; a body that a HEAD request does not get still counts in its headers. */
  send(status: number, headers: OutgoingHttpHeaders, body?: Buffer): void {
    const answer = { status, headers, body };
    if (this.#checks.length === 0) this.#write(answer);
    else this.#held = answer;
  }

  /** An answer waits for {@link finish}. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Sends what was held back. @throws what a check throws */
  async finish(): Promise<void> {
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    await this.check(held);
    this.#write(held);
  }

  /** Has the checks look. What they throw once is final: nobody judges the refusal. */
  async check(answer: Answer): Promise<void> {
    const headers = { ...this.#response.getHeaders(), ...answer.headers };
    try {
      for (const check of this.#checks) await check({ ...answer, headers });
    } catch (error) {
      this.#checks.length = 0;
      throw error;
    }
  }

  /** An error that is to be sent instead of what was held back. @returns the error, or what a check throws instead */
  async checkError(error: unknown, answer: () => Answer): Promise<unknown> {
    this.#held = undefined;
    // Without a socket the connection was hijacked, or the client has gone: there is nobody to answer.
    if (this.#checks.length === 0 || this.#response.headersSent || !this.#response.socket) return error;
    try {
      await this.check(answer());
      return error;
    } catch (refusal) {
      return refusal;
    }
  }

  #write({ status, headers, body }: Answer): void {
    this.#response.writeHead(status, headers);
    this.#response.end(this.#method === 'HEAD' ? undefined : body);
  }
}
