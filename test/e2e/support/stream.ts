import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Engine } from './engine.js';

/** A request whose answer nobody reads yet: the socket is paused behind its head. For clients that are stuck. */
export async function openStream(engine: Engine, method: string, path: string): Promise<Socket> {
  const socket = connect(engine.socket);
  await once(socket, 'connect');
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
}
