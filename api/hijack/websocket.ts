import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { TextDecoder } from 'node:util';
import { invalidParameter } from '@cleat/protocol/errors';
import type { ConnectionInput } from './input.js';

/** The server's half of RFC 6455, as far as attach needs it: no extensions, no subprotocols. */

/** Bytes of one frame of a client. */
const maxFrameBytes = 1024 * 1024;
const maxControlBytes = 125;
const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Why a connection is closed (RFC 6455, 7.4.1). */
export const closeCodes = { normal: 1000, protocolError: 1002, invalidData: 1007, tooBig: 1009 } as const;
type CloseCode = (typeof closeCodes)[keyof typeof closeCodes];

/** A client broke the protocol; the connection ends with `code`. */
export class WebSocketViolation extends Error {
  constructor(
    readonly code: CloseCode,
    message: string,
  ) {
    super(message);
  }
}

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

export function closeFrame(code: CloseCode, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return encodeFrame('close', payload.subarray(0, maxControlBytes));
}

/**
 * The payloads of a client's data frames, until it closes or goes; text and binary are the same to a terminal. `reply`
 * sends what the protocol asks for (pong), at the client's pace.
 * @throws WebSocketViolation
 */
export async function* decodeFrames(
  input: ConnectionInput,
  reply: (frame: Buffer) => Promise<unknown>,
): AsyncGenerator<Buffer, 'closed' | 'gone'> {
  /** Frames of the message that is under way; control frames may come between them. */
  let message: { text: TextDecoder | undefined } | undefined;
  for (;;) {
    const frame = await nextFrame(input);
    if (!frame) return 'gone';
    const { opcode, final, data } = frame;
    switch (opcode) {
      case opcodes.ping:
        await reply(encodeFrame('pong', data));
        break;
      case opcodes.pong:
        break;
      case opcodes.close:
        checkClose(data);
        return 'closed';
      default:
        if ((opcode === opcodes.continuation) !== (message !== undefined)) {
          throw broken(message ? 'a message within another' : 'a continuation of nothing');
        }
        message ??= { text: opcode === opcodes.text ? new TextDecoder('utf-8', { fatal: true }) : undefined };
        if (message.text) checkText(message.text, data, final);
        if (final) message = undefined;
        if (data.length > 0) yield data;
    }
  }
}

const broken = (what: string) => new WebSocketViolation(closeCodes.protocolError, what);

interface Frame {
  opcode: number;
  final: boolean;
  data: Buffer;
}

/** Undefined when the client has gone, be it in the middle of a frame. @throws WebSocketViolation */
async function nextFrame(input: ConnectionInput): Promise<Frame | undefined> {
  const head = await input.readUnlessEnded(2);
  if (!head) return undefined;
  const [flags = 0, size = 0] = head;
  const opcode = flags & 0x0f;
  const final = (flags & 0x80) !== 0;
  if ((flags & 0x70) !== 0) throw broken('reserved bits are set, and no extension was agreed on');
  if (!Object.values<number>(opcodes).includes(opcode)) throw broken(`unknown opcode ${opcode}`);
  if ((size & 0x80) === 0) throw broken('a client must mask its frames');
  if (opcode >= opcodes.close && (!final || (size & 0x7f) > maxControlBytes)) {
    throw broken('a control frame is whole and has at most 125 bytes');
  }
  const length = await frameLength(size & 0x7f, input);
  const mask = length === undefined ? undefined : await input.readUnlessEnded(4);
  const data = mask && (await input.readUnlessEnded(length ?? 0));
  if (!mask || !data) return undefined;
  for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return { opcode, final, data };
}

async function frameLength(short: number, input: ConnectionInput): Promise<number | undefined> {
  if (short < 126) return short;
  const bytes = await input.readUnlessEnded(short === 126 ? 2 : 8);
  if (!bytes) return undefined;
  const long = short === 126 ? BigInt(bytes.readUInt16BE()) : bytes.readBigUInt64BE();
  if (long >= 2n ** 63n || long < (short === 126 ? 126n : 65_536n)) throw broken('a malformed length');
  if (long > maxFrameBytes) {
    throw new WebSocketViolation(closeCodes.tooBig, `a frame may have ${maxFrameBytes} bytes, not ${long}`);
  }
  return Number(long);
}

function checkText(decoder: TextDecoder, data: Buffer, final: boolean): void {
  try {
    decoder.decode(data, { stream: !final });
  } catch {
    throw new WebSocketViolation(closeCodes.invalidData, 'text that is not UTF-8');
  }
}

/** Reads a client's close frame: empty, or a code that it may use, and a reason as UTF-8. */
function checkClose(data: Buffer): void {
  if (data.length === 0) return;
  const code = data.length < 2 ? 0 : data.readUInt16BE();
  const lawful = (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code < 5000);
  if (!lawful) throw broken('a malformed close');
  checkText(new TextDecoder('utf-8', { fatal: true }), data.subarray(2), true);
}
