import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Stream {
  stream: Record<string, string>;
  values: [nanos: string, line: string][];
}

interface Push {
  tenant: string | undefined;
  authorization: string | undefined;
  streams: Stream[];
}

/** Stands for Loki in tests: takes pushes, keeps them, and can go away and come back at the same address. */
export class FakeLoki implements AsyncDisposable {
  readonly pushes: Push[] = [];
  /** Answers of the next requests, which it then does not take. */
  readonly refusals: number[] = [];
  refused = 0;
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      const refusal = this.refusals.shift();
      if (refusal !== undefined) {
        this.refused++;
        response.writeHead(refusal).end('not\nlike this');
        return;
      }
      this.#take(request).then(
        (status) => response.writeHead(status).end(),
        () => response.writeHead(400).end('no JSON'),
      );
    });
    this.#server = server;
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server?.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  /** All lines of the streams whose labels hold these, in the order in which they came. */
  lines(labels: Record<string, string>): string[] {
    return this.streams(labels).flatMap(({ values }) => values.map(([, line]) => line));
  }

  streams(labels: Record<string, string>): Stream[] {
    const holds = ({ stream }: Stream) => Object.entries(labels).every(([name, value]) => stream[name] === value);
    return this.pushes.flatMap(({ streams }) => streams).filter(holds);
  }

  async #take(request: IncomingMessage): Promise<number> {
    if (request.method !== 'POST' || request.url !== '/loki/api/v1/push') return 404;
    if (request.headers['content-type'] !== 'application/json') return 415;
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { streams } = JSON.parse(Buffer.concat(chunks).toString()) as { streams: Stream[] };
    for (const [nanos, line] of streams.flatMap(({ values }) => values)) {
      if (typeof nanos !== 'string' || typeof line !== 'string' || !/^\d{19}$/.test(nanos)) return 400;
    }
    const { 'x-scope-orgid': tenant, authorization } = request.headers;
    this.pushes.push({ tenant: tenant?.toString(), authorization, streams });
    return 204;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
