import { readFileSync } from 'node:fs';
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Reply } from '@cleat/protocol/answer';
import { pluginMediaType } from '@cleat/protocol/dispatch';
import { messageOf } from '@cleat/protocol/errors';
import { type Address, addressText, type TlsSettings } from './address.js';
import { type Carrier, TransportError } from './carrier.js';

/** More than any answer needs; a plugin that sends more is broken or hostile. */
const maxAnswerBytes = 16 * 1024 * 1024;

/**
 * Docker's plugin protocol: HTTP/1.1 POST of JSON over a UNIX, TCP or TLS socket.
 *
 * Each message has a connection of its own. A kept one that the plugin closed while we wrote would leave us not knowing
 * whether a Mount was done; connecting to a local socket costs less than that doubt.
 */
export class SocketCarrier implements Carrier {
  readonly #address: Address;
  readonly #connect: RequestOptions;
  readonly #open = new Set<ClientRequest>();

  /** @throws Error when the TLS files cannot be read */
  constructor(address: Address) {
    this.#address = address;
    this.#connect =
      address.type === 'unix'
        ? { socketPath: address.path, host: 'plugin' }
        : { host: address.host, port: address.port, ...(address.tls ? tlsOptions(address.tls) : {}) };
  }

  async call(path: string, body: string, signal: AbortSignal): Promise<Reply> {
    const { response, done } = await this.#post(path, body, signal);
    try {
      return { status: response.statusCode ?? 0, text: await this.#readAll(path, response, signal) };
    } finally {
      done();
    }
  }

  async stream(path: string, body: string, signal: AbortSignal) {
    const { response, done } = await this.#post(path, body, signal);
    response.once('close', done);
    if (response.statusCode === 200) return { stream: response as AsyncIterable<Uint8Array> };
    return { status: response.statusCode ?? 0, text: await this.#readAll(path, response, signal) };
  }

  async close(): Promise<void> {
    for (const request of this.#open) request.destroy();
  }

  #post(path: string, body: string, signal: AbortSignal): Promise<{ response: IncomingMessage; done: () => void }> {
    const secure = this.#address.type === 'tcp' && this.#address.tls !== undefined;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      let connected = false;
      const request = (secure ? httpsRequest : httpRequest)({
        ...this.#connect,
        method: 'POST',
        path,
        agent: false,
        headers: {
          Accept: pluginMediaType,
          'Content-Type': pluginMediaType,
          'Content-Length': Buffer.byteLength(body),
        },
      });
      this.#open.add(request);
      const onAbort = () => request.destroy(new Error('aborted'));
      const done = () => {
        signal.removeEventListener('abort', onAbort);
        this.#open.delete(request);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      request.once('socket', (socket) => {
        socket.once(secure ? 'secureConnect' : 'connect', () => {
          connected = true;
        });
      });
      request.once('response', (response) => resolve({ response, done }));
      // Stays for the request's life: a late error after the response must not end the process.
      request.on('error', (error) => {
        done();
        reject(signal.aborted ? signal.reason : this.#failure(path, error, connected));
      });
      request.end(body);
    });
  }

  async #readAll(path: string, response: IncomingMessage, signal: AbortSignal): Promise<string> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        if (size > maxAnswerBytes) {
          response.destroy();
          throw new TransportError(`it answered ${path.slice(1)} with more than ${maxAnswerBytes} bytes`, {
            sent: true,
            absent: false,
          });
        }
        chunks.push(chunk);
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof TransportError) throw error;
      throw this.#failure(path, error, true);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #failure(path: string, error: unknown, sent: boolean): TransportError {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const where = addressText(this.#address);
    const absent = ['ECONNREFUSED', 'ENOENT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'EAGAIN'].includes(code);
    const what =
      code === 'ECONNREFUSED'
        ? `nobody listens at ${where}`
        : code === 'ENOENT'
          ? `there is no socket at ${where}`
          : sent
            ? `the connection to ${where} broke during ${path.slice(1)} (${messageOf(error)})`
            : `cannot connect to ${where} (${messageOf(error)})`;
    return new TransportError(what, { sent, absent: absent && !sent, cause: error });
  }
}

function tlsOptions(tls: TlsSettings) {
  return {
    rejectUnauthorized: !tls.insecureSkipVerify,
    ca: tls.caFile === undefined ? undefined : readFileSync(tls.caFile),
    cert: tls.certFile === undefined ? undefined : readFileSync(tls.certFile),
    key: tls.keyFile === undefined ? undefined : readFileSync(tls.keyFile),
  };
}
