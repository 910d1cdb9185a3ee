import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiRequest, Authorization } from '@cleat/engine/authorization/service';
import { forbidden } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import { openProxyApi, type ProxyApi, type ProxyApiOptions } from './index.js';

/** A request as an engine behind the proxy got it. */
export interface Seen {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A proxy, and an engine behind it of which the test says what it does. */
export class ProxyBench implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'cleat-proxy-'));
  readonly socketPath = join(this.#directory, 'p.sock');
  readonly upstreamPath = join(this.#directory, 'u.sock');
  readonly seen: Seen[] = [];
  readonly judged: ApiRequest[] = [];
  readonly judgedAnswers: (string | undefined)[] = [];
  connections = 0;
  required = true;
  allows: (request: ApiRequest) => boolean = () => true;
  respond: (request: IncomingMessage, response: ServerResponse, body: string) => void = (_request, response) => {
    response.setHeader('Api-Version', '1.41');
    response.setHeader('Content-Type', 'application/json');
    response.end('{"Id":"abc"}\n');
  };
  /** Comes before the body of a request is read. */
  meet: (request: IncomingMessage, response: ServerResponse) => Promise<void> | void = () => {};
  upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void = (_request, socket) => socket.destroy();
  #server: Server | undefined;
  #api: ProxyApi | undefined;

  async start(options: Partial<ProxyApiOptions> = {}): Promise<this> {
    await this.startUpstream();
    const bench = this;
    const authorization: Authorization = {
      get required() {
        return bench.required;
      },
      authorize: async (request) => {
        this.judged.push(request);
        if (!this.allows(request)) throw forbidden('authorization denied by plugin p: no');
        return async ({ body }) => void this.judgedAnswers.push(body?.toString());
      },
    };
    this.#api = openProxyApi({
      upstream: { kind: 'unix', path: this.upstreamPath },
      services: { authorization },
      log: silentLogger,
      version: '0.0.0-test',
      passesUnknown: () => !this.required,
      ...options,
    });
    await this.#api.listen(`unix://${this.socketPath}`);
    return this;
  }

  async startUpstream(): Promise<void> {
    const server = createServer(async (request, response) => {
      let body = '';
      request.on('error', () => {}).setEncoding('latin1');
      await this.meet(request, response);
      request.on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        this.seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
        this.respond(request, response, body);
      });
    });
    server.on('connection', () => this.connections++);
    server.on('upgrade', (request, socket: Socket, head) => {
      this.seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body: '' });
      this.upgrade(request, socket, head);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.upstreamPath, resolve));
  }

  stopUpstream(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  connect(): Socket {
    return connect({ path: this.socketPath, allowHalfOpen: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api?.close(0);
    this.stopUpstream();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
