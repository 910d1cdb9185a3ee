import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CleatError, type ErrorClass, errorStatus, messageOf, unavailable } from '@cleat/protocol/errors';

export interface Ask {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** A body that comes bit by bit, in place of `body`. */
  readonly upload?: Readable;
  readonly signal?: AbortSignal;
}

/** More than any answer that is read as a whole. */
const maxAnswer = 64 * 1024 * 1024;

/** A client of the engine's API on a UNIX socket, for one build. */
export class Client implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(readonly socket: string) {}

  /** @returns what a JSON answer says; undefined for an empty one @throws CleatError of the status's class */
  async call(method: string, path: string, ask: Ask = {}): Promise<unknown> {
    const text = await textOf(await this.open(method, path, ask));
    if (text.trim() === '') return undefined;
    return JSON.parse(text) as unknown;
  }

  /** An answer as a stream, which is the caller's to read or destroy. @throws as `call` */
  async open(method: string, path: string, ask: Ask = {}): Promise<IncomingMessage> {
    const body = ask.upload || ask.body === undefined ? undefined : Buffer.from(JSON.stringify(ask.body));
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(this.#options(method, path, ask, body), resolve);
      outgoing.once('error', (error) => reject(ask.signal?.aborted ? ask.signal.reason : awayOf(error)));
      if (ask.upload) {
        // A failure of the body itself is the reason; an engine that refuses early has answered by then.
        pipeline(ask.upload, outgoing).catch((error: unknown) => reject(error));
      } else outgoing.end(body);
    });
    answer.on('error', () => {}); // The reader gets the error, too.
    if ((answer.statusCode ?? 500) < 400) return answer;
    throw refusalOf(answer.statusCode ?? 500, await textOf(answer));
  }

  /** Takes over the connection, as attach does. @throws as `call` */
  async hijack(path: string, ask: Ask = {}): Promise<Duplex> {
    const headers = { Connection: 'Upgrade', Upgrade: 'tcp' };
    return await new Promise<Duplex>((resolve, reject) => {
      const outgoing = request({ ...this.#options('POST', path, { ...ask, headers }), agent: false });
      outgoing.once('error', (error) => reject(ask.signal?.aborted ? ask.signal.reason : awayOf(error)));
      outgoing.once('upgrade', (_answer, connection, head) => {
        connection.on('error', () => {}); // The reader gets the error, too.
        if (head.length > 0) connection.unshift(head);
        resolve(connection);
      });
      outgoing.once('response', (answer) => {
        textOf(answer).then((text) => reject(refusalOf(answer.statusCode ?? 500, text)), reject);
      });
      outgoing.end();
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #options(method: string, path: string, ask: Ask, body?: Buffer): RequestOptions {
    const given = Object.entries(ask.query ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return {
      socketPath: this.socket,
      agent: this.#agent,
      method,
      path: given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`,
      headers: {
        Host: 'docker',
        ...(body && { 'Content-Type': 'application/json', 'Content-Length': `${body.length}` }),
        ...(ask.upload && { 'Content-Type': 'application/x-tar' }),
        ...ask.headers,
      },
      ...(ask.signal && { signal: ask.signal }),
    };
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswer) throw unavailable('the engine answered more than can be meant');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function awayOf(error: Error): CleatError {
  return unavailable(`the engine does not answer its builder: ${messageOf(error)}`, { cause: error });
}

function refusalOf(status: number, text: string): CleatError {
  let message = text.trim();
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) message = String(parsed.message);
  } catch {
    // Plain text is shown as it is.
  }
  const fitting = (Object.keys(errorStatus) as ErrorClass[]).find((name) => errorStatus[name] === status);
  return new CleatError(fitting ?? 'System', message, { details: { status } });
}
