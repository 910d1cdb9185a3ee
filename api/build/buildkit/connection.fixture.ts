import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Upgrades a connection as clients do. @returns it, and the head of the answer */
export async function upgraded(
  socketPath: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<{ socket: Socket; head: string }> {
  const socket = connect(socketPath);
  const lines = Object.entries({ Host: 'x', Connection: 'Upgrade', Upgrade: 'h2c', ...headers });
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.pause();
  // HTTP/2 may begin in the same piece.
  const end = data.indexOf('\r\n\r\n') + 4;
  if (data.subarray(0, 12).toString() !== 'HTTP/1.1 101') return { socket, head: data.toString() };
  socket.unshift(data.subarray(end));
  return { socket, head: data.subarray(0, end).toString() };
}
