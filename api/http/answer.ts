import type { OutgoingHttpHeaders } from 'node:http';
import type { ApiResponse } from './messages.js';

/** An answer, or the head of one that is a stream. */
export interface Answer {
  readonly status: number;
  /** All that will be sent, names as they are sent. */
  readonly headers: OutgoingHttpHeaders;
  /** Undefined for a stream. */
  readonly body: Buffer | undefined;
  /** It is the head of a stream. */
  readonly isHead?: true;
}

/** Looks at an answer before the client sees any of it; what it throws is the answer instead. */
export type AnswerCheck = (answer: Answer) => Promise<void>;

/** Makes another answer of one, before anybody looks at it. Of a stream it is given the head. */
export type AnswerChange = (answer: Answer) => Promise<Answer>;

/**
 * The way of an answer to the client. Nobody may be asking to look at it: then it is sent at once. Otherwise a whole
 * answer is held until {@link Outgoing.finish}, and a stream waits before its head.
 */
export class Outgoing {
  readonly #response: ApiResponse;
  readonly #method: string;
  readonly #checks: AnswerCheck[] = [];
  #changes: AnswerChange[] = [];
  #held: Answer | undefined;

  constructor(response: ApiResponse, method: string) {
    this.#response = response;
    this.#method = method;
  }

  addCheck(check: AnswerCheck): void {
    this.#checks.push(check);
  }

  /**
   * Changes every answer from now on, also errors, before the checks look at it. The change that was added first is made
   * last.
   */
  addChange(change: AnswerChange): void {
    this.#changes.unshift(change);
  }

  /** A whole answer; a body that a HEAD request does not get still counts in its headers. */
  send(status: number, headers: OutgoingHttpHeaders, body?: Buffer): void {
    const answer = { status, headers, body };
    if (this.#checks.length === 0 && this.#changes.length === 0) this.#write(answer);
    else this.#held = answer;
  }

  /** Somebody looks at answers, or changes them. */
  get isWatched(): boolean {
    return this.#checks.length > 0 || this.#changes.length > 0;
  }

  /** An answer waits for {@link finish}. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Sends what was held back. @throws what a change or a check throws */
  async finish(): Promise<void> {
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    this.#write(await this.pass(held));
  }

  /** Has an answer changed, and then looked at. @returns what is to be sent */
  async pass(answer: Answer): Promise<Answer> {
    const changed = await this.#changed(answer);
    await this.look(changed);
    return changed;
  }

  /** A refusal is final: nobody changes or judges it. */
  async #changed(answer: Answer): Promise<Answer> {
    let changed = answer;
    try {
      for (const change of this.#changes) changed = await change({ ...changed, headers: this.#all(changed.headers) });
      return changed;
    } catch (error) {
      this.#changes = [];
      this.#checks.length = 0;
      throw error;
    }
  }

  /** Has one looked at that nobody changes: the beginning of a connection that is taken over. */
  async look(answer: Answer): Promise<void> {
    const headers = this.#all(answer.headers);
    try {
      for (const check of this.#checks) await check({ ...answer, headers });
    } catch (error) {
      this.#changes = [];
      this.#checks.length = 0;
      throw error;
    }
  }

  #all(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
    return { ...this.#response.getHeaders(), ...headers };
  }

  /**
   * An error that is to be sent instead of what was held back.
   * @returns what is to be sent: the error, what a check throws instead, or another answer that was made of it
   */
  async passError(error: unknown, answer: () => Answer): Promise<{ error: unknown } | { answer: Answer }> {
    this.#held = undefined;
    // Without a socket the connection was hijacked, or the client has gone: there is nobody to answer.
    if (!this.isWatched || this.#response.headersSent || !this.#response.socket) return { error };
    try {
      const isChanged = this.#changes.length > 0;
      const passed = await this.pass(answer());
      return isChanged ? { answer: passed } : { error };
    } catch (refusal) {
      return { error: refusal };
    }
  }

  #write({ status, headers, body }: Answer): void {
    this.#response.writeHead(status, headers);
    this.#response.end(this.#method === 'HEAD' ? undefined : body);
  }
}
