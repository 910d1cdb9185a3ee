import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { linger } from './linger.js';

/** Answers what no request could be made of, and ends the connection. */
export function refuse(socket: Socket, status: number, message: string): void {
  if (!socket.writable) return void socket.destroy();
  const body = `${JSON.stringify({ message })}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  linger(socket);
}

/** The client's mistake, by the code of Node's parser, and the status that says so. */
const reasons: Record<string, readonly [status: number, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not come in time'],
  HPE_HEADER_OVERFLOW: [431, 'the head of the request is too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'the extensions of a chunk are too large'],
  HPE_INVALID_CHUNK_SIZE: [400, 'malformed chunked encoding'],
  HPE_INVALID_CONTENT_LENGTH: [400, 'bad Content-Length'],
  HPE_UNEXPECTED_CONTENT_LENGTH: [400, 'too many Content-Length headers, or one beside Transfer-Encoding'],
  HPE_INVALID_TRANSFER_ENCODING: [400, 'unsupported Transfer-Encoding, or one beside Content-Length'],
  HPE_INVALID_EOF_STATE: [400, 'unexpected EOF'],
  HPE_INVALID_HEADER_TOKEN: [400, 'malformed header'],
  HPE_INVALID_METHOD: [400, 'malformed request: unknown method'],
  HPE_INVALID_URL: [400, 'malformed request: bad URL'],
  HPE_INVALID_VERSION: [400, 'malformed request: unsupported HTTP version'],
};

/** As Node's parser says it, of a body that it was not shown. */
export const malformedChunks = (): Error =>
  Object.assign(new Error('malformed chunked encoding'), { code: 'HPE_INVALID_CHUNK_SIZE' });

/** Undefined when the connection itself failed: then there is nobody to tell. */
export function reasonOf(error: Error): readonly [status: number, message: string] | undefined {
  const code = 'code' in error ? String(error.code) : '';
  return reasons[code] ?? (code.startsWith('HPE_') ? [400, 'malformed HTTP request'] : undefined);
}
