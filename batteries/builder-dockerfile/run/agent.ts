import { chmodSync, chownSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { owned } from '@cleat/protocol/guard';

/** Connections of a container at a time: more could take all descriptors of this process. */
const maxConnections = 64;

/**
 * A socket of its own that leads to an agent: with the owner and mode that the mount asks for, while the agent's stays as
 * it is.
 */
export async function agentSocket(
  agent: string,
  path: string,
  { uid, gid, mode }: { uid: number; gid: number; mode: number },
): Promise<AsyncDisposable> {
  const open = new Set<{ destroy(): void }>();
  // A connection that cannot be accepted is its caller's loss.
  const server = owned(createServer());
  server.maxConnections = maxConnections;
  server.on('connection', (client) => {
    const upstream = connect(agent);
    for (const one of [client, upstream]) {
      open.add(one);
      one.once('close', () => open.delete(one));
    }
    // Whichever end fails or goes, the other has nobody to talk to.
    pipeline(client, upstream, client, () => {
      client.destroy();
      upstream.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return {
    async [Symbol.asyncDispose]() {
      for (const one of open) one.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
