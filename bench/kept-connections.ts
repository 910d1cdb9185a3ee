import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/**
 * Sends GET requests over connections that stay, one after the other on each, and reads their answers whole. Without
 * Node's HTTP client, which would take longer than either engine.
 */
export async function getOften(socketPath: string, path: string, connections: number, requests: number): Promise<void> {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: docker\r\n\r\n`);
  let left = requests;
  const serve = async (): Promise<void> => {
    const socket = connect(socketPath);
    await once(socket, 'connect');
    while (left-- > 0) {
      socket.write(request);
      await answer(socket);
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: connections }, serve));
}

function answer(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const done = (error?: Error): void => {
      socket.off('data', more).off('error', done).off('close', closed);
      if (error) reject(error);
      else resolve();
    };
    const closed = (): void => done(new Error('the engine has closed the connection'));
    const more = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const headEnd = text.indexOf('\r\n\r\n') + 4;
      if (headEnd < 4) return;
      const head = text.slice(0, headEnd);
      if (!head.startsWith('HTTP/1.1 200 ')) {
        done(new Error(`not what was asked for: ${text}`));
        return;
      }
      const length = /^content-length: *(\d+)/im.exec(head)?.[1];
      // Go's server sends what is longer than its buffer in chunks; the last one is empty.
      const isWhole = length === undefined ? text.endsWith('\r\n0\r\n\r\n') : text.length >= headEnd + Number(length);
      if (isWhole) done();
    };
    socket.on('data', more).on('error', done).on('close', closed);
  });
}
