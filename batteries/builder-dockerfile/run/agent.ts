import { chmodSync, chownSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

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
  const server = createServer((client) => {
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
