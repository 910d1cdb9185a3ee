import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Address } from '@cleat/extensions/carriers/address';
import { isSecure, waysTo } from '@cleat/extensions/carriers/connect';
import { pluginMediaType } from '@cleat/protocol/dispatch';
import { messageOf } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';

/** Longer answers are cut: no message of the protocol comes near. */
const maxAnswerBytes = 4 * 1024 * 1024;

/** How a request is sent, where it is not as an engine sends it on a good day. */
export interface Manner {
  /** HTTP method; POST when absent. */
  verb?: string;
  /** In pieces of so many bytes, with a pause before each. */
  pieces?: { bytes: number; pauseMs: number };
  /** Hangs up when it is aborted. */
  signal?: AbortSignal;
  /** Gets the bytes of a success as they come: for an answer that is a stream, and whose text is then empty. */
  take?: (chunk: Uint8Array) => void;
}

/** The answer. */
export interface Answer {
  /** HTTP status; 0 when none came. */
  status: number;
  text: string;
  contentType: string;
  /** Why there is no answer, in words; empty when there is one. */
  failure: string;
  /** From the first byte sent to the last one received, in ms. */
  ms: number;
}

/**
 * HTTP as dockerd sends it to plugins (moby `pkg/plugins/client.go`, Go's `net/http`): a POST on a kept connection with
 * an Accept header, a length, and no Content-Type.
 */
export class Wire implements Disposable {
  readonly #address: () => Address;
  readonly #agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };
  readonly #deadlineMs: number;
  readonly #owned = new WeakSet<Socket>();

  constructor(address: () => Address, deadlineMs: number) {
    this.#address = address;
    this.#deadlineMs = deadlineMs;
  }

  /** Never throws: whatever goes wrong is an answer. */
  async send(path: string, body: string, manner: Manner = {}): Promise<Answer> {
    const begun = performance.now();
    const late = AbortSignal.timeout(this.#deadlineMs);
    const signal = manner.signal ? AbortSignal.any([late, manner.signal]) : late;
    const ms = () => Math.round(performance.now() - begun);
    try {
      const response = await this.#post(path, body, manner, signal);
      const text = await textOf(response, manner.take);
      return {
        status: response.statusCode ?? 0,
        text,
        contentType: response.headers['content-type'] ?? '',
        failure: '',
        ms: ms(),
      };
    } catch (error) {
      const failure = manner.signal?.aborted
        ? 'the caller hung up'
        : late.aborted
          ? `no answer within ${this.#deadlineMs / 1000} s`
          : messageOf(error);
      return { status: 0, text: '', contentType: '', failure, ms: ms() };
    }
  }

  [Symbol.dispose](): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  /** Closes what is kept, as an engine's HTTP client does with a plugin that was started again. */
  forget(): void {
    for (const agent of Object.values(this.#agents)) {
      for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    }
  }

  #own(socket: Socket): void {
    if (this.#owned.has(socket)) return;
    this.#owned.add(owned(socket));
  }

  #post(path: string, body: string, { verb = 'POST', pieces }: Manner, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const address = this.#address();
      const secure = isSecure(address);
      const request = (secure ? httpsRequest : httpRequest)({
        ...waysTo(address).request,
        agent: secure ? this.#agents.https : this.#agents.http,
        method: verb,
        path,
        signal,
        headers: {
          'User-Agent': 'Go-http-client/1.1',
          Accept: pluginMediaType,
          'Accept-Encoding': 'identity',
          ...(verb === 'POST' ? { 'Content-Length': Buffer.byteLength(body) } : {}),
        },
      });
      // A caller that hangs up while nobody reads breaks the answer all the same, and one that does as the answer ends
      // breaks a connection that is nobody's at that moment.
      request.on('socket', (socket) => this.#own(socket));
      request.on('response', (response) => resolve(owned(response))).on('error', reject);
      if (pieces === undefined) request.end(verb === 'POST' ? body : undefined);
      else {
        request.flushHeaders();
        trickle(Buffer.from(body), pieces, signal, (piece) => request.write(piece)).then(() => request.end(), reject);
      }
    });
  }
}

async function trickle(
  bytes: Buffer,
  { bytes: size, pauseMs }: NonNullable<Manner['pieces']>,
  signal: AbortSignal,
  write: (piece: Buffer) => void,
): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) {
    // A caller that has hung up does not keep the process, either.
    await pause(pauseMs, undefined, { signal });
    write(bytes.subarray(at, at + size));
  }
}

async function textOf(response: IncomingMessage, take: Manner['take']): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    if (take && response.statusCode === 200) {
      take(chunk);
      continue;
    }
    size += chunk.length;
    if (size > maxAnswerBytes) throw new Error(`the answer has more than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
