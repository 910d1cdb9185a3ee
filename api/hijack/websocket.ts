import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { invalidParameter } from '@cleat/protocol/errors';
import type { ConnectionInput } from './input.js';

/** The server's half of RFC 6455, as far as attach needs it: no extensions, no subprotocols. */

/** Bytes of one frame of a client. */
const maxFrameBytes = 1024 * 1024;
const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The answer to the handshake. @throws InvalidParameter when the request is none. */
export function handshake(headers: IncomingHttpHeaders): string {
  const key = headers['sec-websocket-key'];
  if (key === undefined || headers.upgrade?.toLowerCase() !== 'websocket') {
    throw invalidParameter('not a WebSocket handshake: Upgrade or Sec-WebSocket-Key is missing');
  }
  if (headers['sec-websocket-version'] !== '13') throw invalidParameter('unsupported WebSocket version: use 13');
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

export function encodeFrame(kind: keyof typeof opcodes, data: Uint8Array): Buffer {
  const { length } = data;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = 0x80 | opcodes[kind];
  if (length < 126) {
    header[1] = length;
  } else if (length < 65_536) {
    header[1] = 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([header, data]);
}

/**
 * The payloads of a client's data frames, until it closes; text and binary are the same to a terminal. `reply` sends
 * what the protocol asks for (pong).
 * @throws InvalidParameter for what breaks the protocol.
 */
export async function* decodeFrames(input: ConnectionInput, reply: (frame: Buffer) => void): AsyncGenerator<Buffer> {
  for (;;) {
    const first = await input.next();
    if (first === undefined) return;
    input.unread(first);
    const [flags = 0, size = 0] = await input.read(2);
    if ((size & 0x80) === 0) throw invalidParameter('a WebSocket client must mask its frames');
    const length = await frameLength(size & 0x7f, input);
    const mask = await input.read(4);
    const data = await input.read(length);
    for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) ^ (mask[i % 4] ?? 0);
    switch (flags & 0x0f) {
      case opcodes.continuation:
      case opcodes.text:
      case opcodes.binary:
        yield data;
        break;
      case opcodes.ping:
        reply(encodeFrame('pong', data));
        break;
      case opcodes.close:
        return;
    }
  }
}

async function frameLength(short: number, input: ConnectionInput): Promise<number> {
  if (short < 126) return short;
  const long = short === 126 ? (await input.read(2)).readUInt16BE() : Number((await input.read(8)).readBigUInt64BE());
  if (long > maxFrameBytes) throw invalidParameter(`a WebSocket frame of ${long} bytes is too large`);
  return long;
}
