import type { Socket } from 'node:net';

/** Bytes. Many thousand containers are told in one line; more is no message of ours. */
const longest = 64 * 1024 * 1024;

/** Calls back with each line that comes, without its end. A longer one than is possible ends the connection. */
export function readLines(socket: Socket, onLine: (line: string) => void): void {
  let parts: string[] = [];
  let length = 0;
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    let from = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      const line = parts.join('') + chunk.slice(from, end);
      parts = [];
      length = 0;
      from = end + 1;
      onLine(line);
    }
    if (from === chunk.length) return;
    parts.push(chunk.slice(from));
    length += chunk.length - from;
    if (length > longest) socket.destroy();
  });
}
