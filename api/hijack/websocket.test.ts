import { describe, expect, it } from 'vitest';
import { echoSession, startApi, type TestApi, talk, until } from '../testing/fakes.js';

/** A client's frame; every part can be wrong. */
function frame(opcode: number, data: Buffer | string = '', { final = true, rsv = 0, masked = true } = {}): Buffer {
  const payload = Buffer.from(data);
  const { length } = payload;
  const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  const size = length < 126 ? Buffer.from([length]) : length < 65_536 ? Buffer.alloc(3, 126) : Buffer.alloc(9, 127);
  if (size.length === 3) size.writeUInt16BE(length, 1);
  if (size.length === 9) size.writeBigUInt64BE(BigInt(length), 1);
  size[0] = (size[0] ?? 0) | (masked ? 0x80 : 0);
  const body = masked ? payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)) : payload;
  return Buffer.concat(
    [Buffer.from([(final ? 0x80 : 0) | (rsv << 4) | opcode]), size, masked ? mask : '', body].map(Buffer.from),
  );
}

const [continuation, text, binary, close, ping, pong] = [0, 1, 2, 8, 9, 10];
const request = (query: string) =>
  `GET /v1.42/containers/c/attach/ws?${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

async function connected(server: TestApi, query = 'stdin=1&stdout=1&stream=1') {
  const socket = server.connect();
  socket.write(request(query));
  await until(socket, '\r\n\r\n');
  return socket;
}

const huge = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 1, 2, 3, 4]);
const negative = Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
const padded = Buffer.from([0x82, 0xfe, 0, 5, 1, 2, 3, 4, 0, 0, 0, 0, 0]);

describe('a frame that breaks the protocol gets a close frame, and the connection ends', () => {
  const violations: [string, code: number, Buffer[]][] = [
    ['not masked', 1002, [frame(binary, 'x', { masked: false })]],
    ['reserved bits', 1002, [frame(binary, 'x', { rsv: 4 })]],
    ['unknown opcode', 1002, [frame(3, 'x')]],
    ['unknown control opcode', 1002, [frame(11)]],
    ['a continuation of nothing', 1002, [frame(continuation, 'x')]],
    ['a message within another', 1002, [frame(text, 'a', { final: false }), frame(text, 'b')]],
    ['a control frame in parts', 1002, [frame(ping, 'x', { final: false })]],
    ['a control frame that is too long', 1002, [frame(ping, 'x'.repeat(126))]],
    ['a length that is not the shortest', 1002, [padded]],
    ['a length of 64 bits with a sign', 1002, [negative]],
    ['more than a frame may have', 1009, [huge]],
    ['text that is not UTF-8', 1007, [frame(text, Buffer.from([0x63, 0xe9]))]],
    ['text that ends within a character', 1007, [frame(text, Buffer.from([0xc3]))]],
    ['a close of one byte', 1002, [frame(close, 'x')]],
    ['a close with a code that nobody may send', 1002, [frame(close, Buffer.from([0x03, 0xee]))]],
    ['a reason that is not UTF-8', 1007, [frame(close, Buffer.from([0x03, 0xe8, 0xff]))]],
  ];
  for (const query of ['stdin=1&stdout=1&stream=1', 'stdout=1&stream=1']) {
    it.each(violations)(`%s (${query})`, async (_name, code, frames) => {
      const session = { ...echoSession(true), ...(query.startsWith('stdin') ? {} : { write: undefined }) };
      await using server = await startApi({ containers: { attach: async () => session } });
      const socket = await connected(server, query);
      const answer = Buffer.from(await talk(socket, Buffer.concat(frames).toString('latin1')), 'latin1');
      const at = answer.indexOf(0x88);
      expect(answer.readUInt16BE(at + 2)).toBe(code);
      expect(at + 2 + (answer[at + 1] ?? 0)).toBe(answer.length);
    });
  }
});

it.each(['stdin=1&stdout=1&stream=1', 'stdout=1&stream=1'])(
  'answers pings, also within a message (%s)',
  async (query) => {
    const session = { ...echoSession(true), ...(query.startsWith('stdin') ? {} : { write: undefined }) };
    await using server = await startApi({ containers: { attach: async () => session } });
    const socket = await connected(server, query);
    const answered = until(socket, 'here?');
    const parts = [frame(text, Buffer.from([0x63, 0xc3]), { final: false }), frame(ping, 'here?'), frame(pong, 'no')];
    socket.write(Buffer.concat([...parts, frame(continuation, Buffer.from([0xa9]))]));
    expect(await answered).toContain('\x8a\x05here?');
    const rest = await talk(socket, frame(close, Buffer.from([0x03, 0xe8])).toString('latin1'));
    expect(rest.endsWith('\x88\x02\x03\xe8')).toBe(true);
  },
);
