import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { PublishedPort } from '@cleat/linux/firewall/ruleset';
import { setTimeout } from '@cleat/protocol/guard';

/** Connections of one port at a time; further ones are refused. */
const maxConnections = 2_000;
const connectMs = 10_000;

/** Accepts connections to the host's port and carries them to the container's. @throws what `listen` says */
export async function openTcp(port: PublishedPort): Promise<() => Promise<void>> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (client) => {
    for (const socket of carry(client, port)) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    }
  });
  server.maxConnections = maxConnections;
  server.listen({ host: port.hostIp, port: port.hostPort, ipv6Only: true });
  await once(server, 'listening');
  // A connection that cannot be accepted is lost; the port goes on.
  server.on('error', () => {});
  return async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of open) socket.destroy();
    await closed;
  };
}

/** Both ways, each to its end; an error of one side ends the other. */
function carry(client: Socket, { containerIp, containerPort }: PublishedPort): [Socket, Socket] {
  const inside = connect({ host: containerIp, port: containerPort, allowHalfOpen: true, noDelay: true });
  const late = setTimeout(() => inside.destroy(new Error('no answer')), connectMs);
  inside.once('connect', () => clearTimeout(late));
  const pairs = [
    [client, inside],
    [inside, client],
  ] as const;
  for (const [socket, other] of pairs) {
    // Nobody is here to hear of it: its other side sees a connection that is reset.
    socket.on('error', () => other.resetAndDestroy());
    socket.once('close', () => {
      clearTimeout(late);
      if (!socket.readableEnded) other.destroy();
    });
    socket.pipe(other);
  }
  return [client, inside];
}
