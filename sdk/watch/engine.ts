import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { addAbortSignal } from 'node:stream';
import { Deadline } from '@cleat/protocol/async/deadline';
import {
  CleatError,
  deadlineExceeded,
  type ErrorClass,
  errorStatus,
  forbidden,
  invalidParameter,
  isClass,
  messageOf,
  unavailable,
} from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';
import { type Address, addressOf, type EngineTls } from './address.js';

export interface EngineOptions {
  /** PEM texts, for `tcp://`; default as Docker's clients decide, by DOCKER_TLS_VERIFY and DOCKER_CERT_PATH. */
  tls?: EngineTls;
  /** How long one answer may take, in ms; default 30,000. */
  deadlineMs?: number;
  /** Sent with each request. */
  headers?: Readonly<Record<string, string>>;
}

export interface Ask {
  /** Members that are undefined are left out. */
  query?: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal;
}

/** More than the lists of the largest host take. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** Talks to an engine's API: Cleat's or a stock dockerd's. One connection per request, each with a deadline. */
export class Engine {
  readonly #address: Address;
  readonly #deadlineMs: number;
  readonly #headers: Readonly<Record<string, string>>;

  /** @throws InvalidParameter for what is no address */
  constructor(address: string | undefined, options: EngineOptions = {}) {
    this.#address = addressOf(address, options.tls);
    this.#deadlineMs = options.deadlineMs ?? 30_000;
    this.#headers = options.headers ?? {};
  }

  /** As it was given. */
  get address(): string {
    return this.#address.text;
  }

  /**
   * A JSON answer. Numbers are doubles.
   * @param path without version, for example `/containers/json`
   * @throws CleatError of the status's class with the engine's own message; Unavailable when it is away, or no engine;
   * DeadlineExceeded; Forbidden when the socket may not be opened; InvalidParameter when TLS does not fit
   */
  async get(path: string, ask: Ask = {}): Promise<unknown> {
    return await this.#inTime(path, ask.signal, async (signal) => {
      const response = await this.#send(path, ask.query, signal);
      const text = await this.#text(response, signal);
      try {
        return JSON.parse(text) as unknown;
      } catch (cause) {
        throw this.#strange(path, text, cause);
      }
    });
  }

  /**
   * A change, of which only whether it was made is of interest. It is asked for once.
   * @throws as `get`
   */
  async post(path: string, body: object, ask: Ask = {}): Promise<void> {
    await this.#inTime(path, ask.signal, async (signal) => {
      await this.#text(await this.#send(path, ask.query, signal, JSON.stringify(body)), signal);
    });
  }

  /**
   * An answer that goes on: its head has come in time, and its body is the caller's to read and to destroy.
   * @throws as `get`
   */
  async open(path: string, ask: Ask = {}): Promise<IncomingMessage> {
    const response = await this.#inTime(path, ask.signal, (signal) => this.#send(path, ask.query, signal));
    // A peer that vanished without a word is noticed by the kernel. On a UNIX socket it does nothing.
    response.socket.setKeepAlive(true, 30_000);
    return response;
  }

  /** Whether the answer has anything in its body, which is not read any further. @throws as `get` */
  async hasBody(path: string, ask: Ask = {}): Promise<boolean> {
    return await this.#inTime(path, ask.signal, async (signal) => {
      const response = addAbortSignal(signal, await this.#send(path, ask.query, signal));
      try {
        for await (const chunk of response as AsyncIterable<Uint8Array>) return chunk.length > 0;
        return false;
      } catch (cause) {
        throw this.#unreachable(cause);
      }
    });
  }

  /** The engine's clock, to the second it began. */
  async time(ask: Pick<Ask, 'signal'> = {}): Promise<Date> {
    const response = await this.open('/_ping', ask);
    response.on('error', () => {}); // It has told what it was asked for.
    response.destroy();
    const time = Date.parse(response.headers.date ?? '');
    return new Date(Number.isNaN(time) ? Date.now() - 1_000 : time);
  }

  async #inTime<T>(path: string, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>) {
    const late = () =>
      deadlineExceeded(`the engine at ${this.address} did not answer ${path} within ${this.#deadlineMs} ms`);
    signal?.throwIfAborted();
    using deadline = new Deadline({ ms: this.#deadlineMs, signal, late });
    try {
      return await work(deadline.signal);
    } catch (error) {
      // A stream that is cut short complains in words of its own.
      throw deadline.signal.aborted ? deadline.signal.reason : error;
    }
  }

  /** @param body JSON; with it, the request is a POST */
  async #send(path: string, query: Ask['query'], signal: AbortSignal, body?: string): Promise<IncomingMessage> {
    const { where, tls } = this.#address;
    const target = `${path}${queryText(query ?? {})}`;
    const headers = { ...this.#headers, Host: 'socketPath' in where ? 'docker' : `${where.host}:${where.port}` };
    const content = body && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const method = body === undefined ? 'GET' : 'POST';
    const options = { ...where, method, path: target, headers: { ...headers, ...content }, agent: false } as const;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = tls ? secureRequest({ ...options, ...tls }) : plainRequest(options);
      const abort = () => request.destroy(new Error('aborted'));
      signal.addEventListener('abort', abort, { once: true });
      request.once('response', (answer) => {
        // The reader of what goes on ends it.
        signal.removeEventListener('abort', abort);
        resolve(answer);
      });
      request.on('error', (error) => reject(this.#unreachable(error)));
      request.end(body);
    });
    const { statusCode: status = 0 } = response;
    if (status === 200 || (body !== undefined && [201, 204].includes(status))) return response;
    throw this.#refused(path, status, await this.#text(response, signal));
  }

  async #text(response: IncomingMessage, signal: AbortSignal): Promise<string> {
    addAbortSignal(signal, response);
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        if (size > maxAnswerBytes) break;
        chunks.push(chunk);
      }
    } catch (cause) {
      throw this.#unreachable(cause);
    }
    if (size > maxAnswerBytes) throw unavailable(`the engine at ${this.address} answered more than can be meant`);
    return Buffer.concat(chunks).toString('utf8');
  }

  #unreachable(cause: unknown): CleatError {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code === 'EACCES') {
      const advice = 'run as root, or as a member of the group that owns the socket';
      return forbidden(`the engine's socket ${this.address} may not be opened: ${advice}`, { cause });
    }
    if (/CERT|ERR_TLS|ERR_SSL|ERR_OSSL|SELF_SIGNED|EPROTO|UNABLE_TO/.test(code)) {
      const advice = 'check the certificates, DOCKER_CERT_PATH and DOCKER_TLS_VERIFY';
      return invalidParameter(`no TLS with the engine at ${this.address}: ${messageOf(cause)}; ${advice}`, { cause });
    }
    return unavailable(`the engine at ${this.address} cannot be reached: ${messageOf(cause)}`, { cause });
  }

  #refused(path: string, status: number, text: string): CleatError {
    const details = { status };
    const message = messageIn(text);
    if (message === undefined) return this.#strange(path, text, undefined, details);
    return new CleatError(classOf(status), `the engine refused ${path}: ${readable(message)}`, { details });
  }

  #strange(path: string, text: string, cause?: unknown, details?: Record<string, unknown>): CleatError {
    const said = readable(text.trim(), 100);
    return unavailable(`the answer to ${path} of what listens at ${this.address} is no engine's: ${said}`, {
      cause,
      details,
    });
  }
}

/** Errors that no repetition cures: a wrong address or question, and a socket that is not ours to open. */
export function isHopeless(error: unknown): boolean {
  if (isClass(error, 'InvalidParameter')) return true;
  // An authorizer may think better of it, or come back.
  return isClass(error, 'Forbidden') && error.details?.status === undefined;
}

function queryText(query: NonNullable<Ask['query']>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** The engine's error message; undefined when it is none. */
function messageIn(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    // Plain text, as what is no engine answers.
    return undefined;
  }
}

function classOf(status: number): ErrorClass {
  const fitting = (Object.keys(errorStatus) as ErrorClass[]).find((name) => errorStatus[name] === status);
  return fitting ?? 'System';
}
