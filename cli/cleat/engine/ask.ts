import { type ClientRequest, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, invalidParameter, notFound, systemError, unavailable } from '@cleat/protocol/errors';
import type { Endpoint } from './endpoint.js';
import { connectThroughSsh } from './ssh.js';

/** A connection through ssh takes a moment, more where a key wants a touch. */
const deadlineMs = { unix: 10_000, tcp: 10_000, ssh: 60_000 };
/** How long ssh may take to say why it failed, once the connection has broken. */
const patienceMs = 2_000;
/** The longest answer, in bytes; an engine's is far smaller. */
const maxAnswer = 64 * 1024 * 1024;

export interface Asking {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: { readonly stream: Readable; readonly type: string };
  /** For an answer that takes longer than a look. */
  readonly deadlineMs?: number;
}

/**
 * One question to an engine, or one order.
 * @returns the JSON that it answers; undefined where it answers nothing
 * @throws Unavailable when nobody answers, or no Cleat engine; NotFound and InvalidParameter as the engine words them
 */
export async function ask(endpoint: Endpoint, path: string, asking: Asking = {}): Promise<unknown> {
  const { text: address } = endpoint;
  return new Promise((resolve, reject) => {
    // Where the connection would be closed, an engine that refuses before it has read the body might not be heard.
    const { sent, failure } = open(endpoint, path, asking, asking.body && { Connection: 'keep-alive' });
    const late = asking.deadlineMs ?? deadlineMs[endpoint.kind];
    const timer = setTimeout(() => sent.destroy(unavailable(`${address} does not answer`)), late);
    sent.on('close', () => clearTimeout(timer));
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.length > maxAnswer) sent.destroy(unavailable(`${address} answers without an end`));
      });
      response.on('error', reject).on('end', () => {
        try {
          resolve(read(address, response.statusCode ?? 0, text));
        } catch (error) {
          reject(error);
        }
        sent.destroy();
      });
    });
    sent.on('error', async (error) => {
      reject((await failure?.()) ?? unavailable(`no engine answers on ${address} (${error.message})`));
    });
    if (asking.body) pipeline(asking.body.stream, sent, () => {});
    else sent.end();
  });
}

interface Request {
  readonly sent: ClientRequest;
  /** Where something else carries the connection: why that failed. */
  readonly failure?: () => Promise<Error | undefined>;
}

/** A request that is not sent yet. */
export function open(
  endpoint: Endpoint,
  path: string,
  { method = 'GET', body }: Asking,
  more: Readonly<Record<string, string>> = {},
): Request {
  const common = { path, method, headers: { ...more, ...(body && { 'content-type': body.type }) } };
  switch (endpoint.kind) {
    case 'unix':
      return { sent: request({ ...common, agent: false, socketPath: endpoint.path }) };
    case 'tcp': {
      const { host, port, tls } = endpoint;
      const options = { ...common, agent: false, host, port } as const;
      return { sent: tls ? requestTls({ ...options, ...tls }) : request(options) };
    }
    case 'ssh': {
      const { stream, failure } = connectThroughSsh(endpoint.target);
      // Without an agent: only then is the connection made here.
      const sent = request({ ...common, host: 'docker', createConnection: () => stream });
      return { sent, failure: () => Promise.race([failure, sleep(patienceMs, undefined, { ref: false })]) };
    }
  }
}

/** The JSON of an answer. @throws what the engine says in it */
export function read(address: string, status: number, text: string): unknown {
  const answer = parse(text);
  if (status === 204 || (status === 200 && text === '')) return undefined;
  if (status === 200 && answer !== undefined) return answer;
  const message = typeof answer === 'object' && answer !== null && 'message' in answer ? String(answer.message) : '';
  // Another engine has no such page at all.
  if (status === 404 && message !== '' && message !== 'page not found') throw notFound(message);
  if (status === 400 && message !== '') throw invalidParameter(message);
  if (status === 409 && message !== '') throw conflict(message);
  if (status === 403 && message !== '') throw unavailable(`${address}: ${message}`);
  if (status === 500 && message !== '') throw systemError(message);
  throw unavailable(`${address} answered ${status}: is it a Cleat engine?`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // An answer of another form is not from one of our engines; the caller says so.
    return undefined;
  }
}
