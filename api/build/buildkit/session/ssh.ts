import { createServer, type Socket } from 'node:net';
import { messageOf } from '@cleat/protocol/errors';
import { bytesMessage } from '@cleat/protocol/grpc/common';
import { guarded, owned } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { Session } from './sessions.js';

const path = '/moby.sshforward.v1.SSH/ForwardAgent';
/** Connections to an agent at a time. */
const maxConnections = 64;

/**
 * A UNIX socket whose connections are the client's agent of that ID.
 * @returns ends it and its connections
 */
export async function forwardAgent(session: Session, id: string, socketPath: string, log: Logger): Promise<() => void> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    open.add(owned(socket));
    socket.once('close', () => open.delete(socket));
    void join(session, id, socket).catch((error: unknown) => {
      log.debug('an ssh agent was not reached', { id, error: messageOf(error) });
      socket.destroy();
    });
  });
  server.maxConnections = maxConnections;
  server.on('error', (error) => log.debug('the socket of an ssh agent failed', { error: messageOf(error) }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, () => resolve());
  });
  return () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
}

async function join(session: Session, id: string, socket: Socket): Promise<void> {
  const stream = session.client.stream(path, [bytesMessage, bytesMessage], { headers: { 'buildkit.ssh.id': id } });
  socket.once('close', () => stream.cancel());
  const sending = (async () => {
    for await (const data of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (!(await stream.send({ data }))) return;
    }
    stream.end();
  })();
  sending.catch(guarded(() => socket.destroy()));
  for await (const { data } of stream.messages) {
    if (socket.destroyed) return;
    if (!socket.write(data))
      await new Promise<void>((resolve) => void socket.once('drain', resolve).once('close', resolve));
  }
  socket.end();
  await sending;
}
