import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Reply, readReply } from '@cleat/protocol/answer';
import { Dispatcher } from '@cleat/protocol/dispatch';
import type { ExtensionModule } from '@cleat/protocol/extension';
import { parseJson, stringify } from '@cleat/protocol/json';
import { type Client, type Kind, methodPath } from '@cleat/protocol/kinds/kind';
import { silentLogger } from '@cleat/protocol/log';
import { serve } from './serve.js';

/** An extension under test, called as an engine calls it. */
export interface Tested extends AsyncDisposable {
  /** What it says it implements. */
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

/** Starts an extension, on either carrier. */
export async function startForTest(module: ExtensionModule, settings: TestOptions): Promise<Tested> {
  const { name, options = {} } = settings;
  if (settings.carrier === 'in-process') {
    const stop = new AbortController();
    const running = await module.start({ name, options, log: silentLogger, signal: stop.signal });
    const dispatcher = new Dispatcher(running.implementations);
    return tested(
      name,
      (path, body) => inProcess(dispatcher, path, body),
      async () => {
        stop.abort();
        await running.close?.();
      },
    );
  }
  const directory = mkdtempSync(join(tmpdir(), 'cleat-test-'));
  const socket = join(directory, 'extension.sock');
  const served = await serve(module, { name, socket, options, log: silentLogger });
  return tested(
    name,
    (path, body) => post(socket, path, body),
    async () => {
      await served.close();
      rmSync(directory, { recursive: true });
    },
  );
}

type Send = (path: string, body: string) => Promise<Reply>;

async function tested(name: string, send: Send, close: () => Promise<void>): Promise<Tested> {
  const { text } = await send('/Plugin.Activate', '');
  const { Implements } = parseJson(text) as { Implements: string[] };
  return {
    kinds: Implements,
    client: (kind) => client(name, kind, send),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function client<K extends Kind>(name: string, kind: K, send: Send): Client<K> {
  const calls = Object.entries(kind.methods).map(([method, contract]) => {
    const call = async (request: unknown) =>
      readReply(name, kind, method, contract, await send(methodPath(kind, method), stringify(request)));
    return [method, call];
  });
  // Each member has the signature that Client<K> derives from the same contract.
  return Object.fromEntries(calls) as Client<K>;
}

async function inProcess(dispatcher: Dispatcher, path: string, body: string): Promise<Reply> {
  const reply = await dispatcher.serve(path, body, new AbortController());
  return 'text' in reply ? reply : { status: 500, text: 'streams are not tested here' };
}

function post(socketPath: string, path: string, body: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path, method: 'POST', agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}
