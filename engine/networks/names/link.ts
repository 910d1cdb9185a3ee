import { connect, type Socket } from 'node:net';
import { within } from '@cleat/protocol/async/deadline';
import { messageOf, systemError, unavailable } from '@cleat/protocol/errors';
import { readLines } from './lines.js';
import type { Answers, Reply, Request, RequestOf } from './messages.js';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The engine's connection to the process of names. It does not keep the event loop alive. */
export class NameLink {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  /** Resolves when it is closed, by whomever. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    readLines(socket, (line) => this.#hear(line));
    // The end tells.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    void this.closed.then(() => {
      for (const { reject } of this.#waiting.values()) reject(unavailable('the process of names ended'));
      this.#waiting.clear();
    });
    socket.unref();
  }

  /** @throws Error with ENOENT, ECONNREFUSED: no process listens there */
  static async open(path: string): Promise<NameLink> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new NameLink(socket);
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** @throws Unavailable when the process ends or does not answer in time; System with what it says */
  async ask<K extends Request['kind']>(request: RequestOf<K>, deadlineMs: number): Promise<Answers[K]> {
    if (this.isClosed) throw unavailable('the process of names ended');
    const id = ++this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.write(`${JSON.stringify({ id, ...request })}\n`);
    try {
      const late = Symbol('late');
      const value = await within(deadlineMs, answer, late);
      if (value === late) throw unavailable(`the process of names did not answer within ${deadlineMs} ms`);
      // Both sides are compiled from messages.ts.
      return value as Answers[K];
    } finally {
      this.#waiting.delete(id);
    }
  }

  #hear(line: string): void {
    let reply: Reply;
    try {
      reply = JSON.parse(line) as Reply;
    } catch (error) {
      this.#socket.destroy(systemError(messageOf(error)));
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    this.#waiting.delete(reply.id);
    if ('failed' in reply) waiting.reject(systemError(reply.failed));
    else waiting.resolve(reply.done);
  }

  close(): void {
    this.#socket.destroy();
  }
}
