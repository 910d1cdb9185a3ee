import { existsSync, renameSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Dispatcher, pluginMediaType } from '@cleat/protocol/dispatch';
import type { Implementation } from '@cleat/protocol/extension';
import type { Control } from '../verify/control.js';

/** How long a flaw leaves between looking and acting: time for callers that come at once, on a busy machine, too. */
export const raceMs = 200;

/** The kinds that a plugin of these handlers is of. */
type Implementing<H> = (handlers: H) => Implementation | Implementation[];

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** How a plugin is broken, and which case finds it. */
export interface Flaw<H> {
  /** The ID of the case. */
  readonly finds: string;
  /** The defect, in a few words. */
  readonly about: string;
  /** Handlers in place of healthy ones. */
  handlers?(healthy: H): Partial<H>;
  /** In front of the protocol. */
  http?(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> | void;
  /** It is a program of its own, which this command starts, since a flaw of its process is to be found. */
  command?(socket: string, directory: string): string;
  /** It does not come up in the presence of its own stale socket. */
  readonly staysDown?: boolean;
}

/**
 * A plugin in this process that can be killed and started: nothing of it survives but what it has on disk. Handlers
 * that hold something of this process have `Symbol.dispose`.
 */
export class TestPlugin<H> implements Control {
  readonly socket: string;
  readonly #healthy: () => H;
  readonly #implement: Implementing<H>;
  readonly #flaw: Flaw<H> | undefined;
  #server: Server | undefined;
  #handlers: Partial<Disposable> | undefined;

  constructor(socket: string, healthy: () => H, implementation: Implementing<H>, flaw?: Flaw<H>) {
    this.socket = socket;
    this.#healthy = healthy;
    this.#implement = implementation;
    this.#flaw = flaw;
  }

  async start(): Promise<void> {
    if (this.#flaw?.staysDown && existsSync(this.socket)) return;
    rmSync(this.socket, { force: true });
    const healthy = this.#healthy();
    const handlers = Object.assign(healthy as object, this.#flaw?.handlers?.(bound(healthy))) as H;
    this.#handlers = handlers as Partial<Disposable>;
    const dispatcher = new Dispatcher([this.#implement(handlers)].flat());
    const answer: Answer = (request, response) => serve(dispatcher, request, response);
    const { http } = this.#flaw ?? {};
    const server = createServer((request, response) => {
      const done = http ? http.call(this.#flaw, request, response, answer) : answer(request, response);
      Promise.resolve(done).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(this.socket, resolve));
    this.#server = server;
  }

  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    this.#handlers?.[Symbol.dispose]?.();
    // A crash leaves the file; node would remove it.
    const aside = `${this.socket}.aside`;
    if (existsSync(this.socket)) renameSync(this.socket, aside);
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    if (existsSync(aside)) renameSync(aside, this.socket);
  }

  output(): string {
    return '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.socket, { force: true });
  }
}

/** The object as it was before a flaw took the place of its methods. */
function bound<H>(healthy: H): H {
  const object = healthy as Record<string, unknown>;
  const methods = Object.entries(object).filter(([, value]) => typeof value === 'function');
  return Object.assign(Object.create(object), Object.fromEntries(methods)) as H;
}

async function serve(dispatcher: Dispatcher, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST') {
    response.writeHead(405).end();
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const text = await bodyOf(request);
  const reply = await dispatcher.serve(request.url ?? '', text, gone);
  response.writeHead(reply.status, { 'Content-Type': pluginMediaType });
  if ('text' in reply) response.end(reply.text);
  else {
    response.flushHeaders();
    for await (const chunk of reply.stream) response.write(chunk);
  }
  response.end();
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
