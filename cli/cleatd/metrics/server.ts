import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import type { Page } from './page.js';

/** Where the page is served: on a port, as dockerd's `--metrics-addr`, or on a UNIX socket for root only. */
export type MetricsAddress = { host: string | undefined; port: number } | { path: string };

export interface MetricsServer {
  /** HOST:PORT, with the real port, or the path. */
  readonly address: string;
  readonly close: () => Promise<void>;
}

/** GET /metrics over plain HTTP. A socket that a former engine left is replaced. @throws Unavailable when it cannot listen there */
export async function serveMetrics(page: Page, address: MetricsAddress): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.url?.split('?', 1)[0] !== '/metrics') return void response.writeHead(404).end('404 page not found\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return void response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    }
    page.text().then(
      (text) => response.writeHead(200, { 'Content-Type': page.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${messageOf(error)}\n`),
    );
  });
  if ('path' in address) rmSync(address.path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(unavailable(`cannot serve metrics: ${messageOf(cause)}`, { cause })));
    server.listen(address, resolve);
    // Before anybody could connect: listening on a path is synchronous.
    if ('path' in address && server.listening) chmodSync(address.path, 0o600);
  });
  const bound = server.address();
  if (bound === null) throw unavailable('cannot serve metrics: the socket is gone');
  return {
    address:
      typeof bound === 'string'
        ? bound
        : `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
