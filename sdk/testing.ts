import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { type Reply, readReply } from '@cleat/protocol/answer';
import { activatePath, asciiJson, Dispatcher, messageHeader, type StreamReply } from '@cleat/protocol/dispatch';
import { type ExtensionModule, startExtension } from '@cleat/protocol/extension';
import { owned } from '@cleat/protocol/guard';
import { parseJson, stringify } from '@cleat/protocol/json';
import { type CallOptions, type Client, type Kind, methodPath } from '@cleat/protocol/kinds/kind';
import { silentLogger } from '@cleat/protocol/log';
import { serve } from './serve.js';

/** An extension under test, called as an engine calls it. */
export interface Tested extends AsyncDisposable {
  /** The kinds that it says it implements. */
  readonly kinds: readonly string[];
  client<K extends Kind>(kind: K): Client<K>;
  close(): Promise<void>;
}

export interface TestOptions {
  name: string;
  /** Every test of an extension should pass on both. */
  carrier: 'in-process' | 'socket';
  options?: Record<string, unknown>;
}

/**
 * Starts an extension, on either carrier.
 * @example
 * await using plugin = await startForTest(mine, { name: 'mine', carrier: 'socket', options: { root } });
 * await plugin.client(volumeKind).Create({ Name: 'data' });
 */
export async function startForTest(module: ExtensionModule, settings: TestOptions): Promise<Tested> {
  const { name, options = {} } = settings;
  if (settings.carrier === 'in-process') {
    const stop = new AbortController();
    const running = await startExtension(module, { name, options, log: silentLogger, signal: stop.signal });
    const dispatcher = new Dispatcher(running.implementations);
    return tested(
      name,
      ({ path, body, signal, upload }) => dispatcher.serve(path, body, { signal, ...(upload && { body: upload }) }),
      async () => {
        stop.abort();
        await running.close?.();
      },
    );
  }
  const directory = mkdtempSync(join(tmpdir(), 'cleat-test-'));
  const clean = () => rmSync(directory, { recursive: true });
  const socket = join(directory, 'extension.sock');
  const served = await serve(module, { name, socket, options, log: silentLogger }).catch((error: unknown) => {
    clean();
    throw error;
  });
  return tested(
    name,
    (call) => post(socket, call),
    async () => {
      await served.close();
      clean();
    },
  );
}

interface Sent {
  path: string;
  body: string;
  signal: AbortSignal;
  /** Success is a stream. */
  streams: boolean;
  /** The body, of a method that streams both ways: its message is in a header. */
  upload?: AsyncIterable<Uint8Array> | undefined;
}

type Send = (call: Sent) => Promise<Reply | StreamReply>;

const never = (): AbortSignal => new AbortController().signal;

async function tested(name: string, send: Send, close: () => Promise<void>): Promise<Tested> {
  const activation = await send({ path: activatePath, body: '', signal: never(), streams: false });
  const { Implements } = parseJson('text' in activation ? activation.text : '') as { Implements: string[] };
  return {
    kinds: Implements,
    client: (kind) => client(name, kind, send),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function client<K extends Kind>(name: string, kind: K, send: Send): Client<K> {
  const calls = Object.entries(kind.methods).map(([method, contract]) => {
    const streams = contract.streams !== undefined;
    const call = async (request: unknown, { signal = never(), body: upload }: CallOptions = {}) => {
      const reply = await send({ path: methodPath(kind, method), body: stringify(request), signal, streams, upload });
      return 'text' in reply ? readReply(name, kind, method, contract, reply) : reply.stream;
    };
    return [method, call];
  });
  // Each member has the signature that Client<K> derives from the same contract.
  return Object.fromEntries(calls) as Client<K>;
}

function post(socketPath: string, { path, body, signal, streams, upload }: Sent): Promise<Reply | StreamReply> {
  return new Promise((resolve, reject) => {
    const headers = upload ? { [messageHeader]: asciiJson(body) } : {};
    const options = { socketPath, path, method: 'POST', agent: false, signal, headers };
    const request = httpRequest(options, (response) => {
      const status = response.statusCode ?? 0;
      if (streams && status === 200) return resolve({ status, stream: response });
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status, text: Buffer.concat(chunks).toString('utf8') }));
    });
    request.on('error', reject);
    if (upload) pipeline(owned(Readable.from(upload)), request, () => {});
    else request.end(body);
  });
}
