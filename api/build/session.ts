import { notFound } from '@cleat/protocol/errors';
import type { Exchange } from '../http/exchange.js';

/**
 * The session of a build by BuildKit (`DOCKER_BUILDKIT=1` of clients before 23): on it the client itself serves its
 * files, and beside it asks for the build. Refused here, it says that it cannot upgrade to h2c; so it gets its
 * connection, which nobody uses, and shows why its build is refused. Newer clients look for `/grpc`, miss it, and bring
 * a builder.
 */
export async function openSession(x: Exchange): Promise<void> {
  if (!x.canHijack) throw notFound('page not found');
  const connection = await x.hijack('application/vnd.docker.raw-stream', 'h2c');
  // Held open, it would keep the client waiting for HTTP/2's first bytes after it was told.
  connection.end();
}
