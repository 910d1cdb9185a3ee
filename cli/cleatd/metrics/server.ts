import { createServer } from 'node:http';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import type { Registry } from 'prom-client';

export interface MetricsServer {
  /** HOST:PORT, with the real port. */
  readonly address: string;
  readonly close: () => Promise<void>;
}

/** GET /metrics over plain HTTP, as dockerd's `--metrics-addr`. @throws Unavailable when it cannot listen there */
export async function serveMetrics(
  registry: Registry,
  { host, port }: { host: string | undefined; port: number },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.url?.split('?', 1)[0] !== '/metrics') return void response.writeHead(404).end('404 page not found\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return void response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'Content-Type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${messageOf(error)}\n`),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(unavailable(`cannot serve metrics: ${messageOf(cause)}`, { cause })));
    server.listen({ host, port }, resolve);
  });
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) throw unavailable('cannot serve metrics: the socket is gone');
  return {
    address: `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
