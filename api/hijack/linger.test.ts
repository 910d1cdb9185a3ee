import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { forbidden, notFound, unavailable } from '@cleat/protocol/errors';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApi, type TestApi } from '../testing/fakes.js';
import { lingering } from './linger.js';

let server: TestApi;
let tcp: string;

beforeAll(async () => {
  server = await startApi(
    {
      containers: {
        attach: async () => {
          throw notFound('No such container: c');
        },
        putArchive: async () => {
          throw unavailable('the engine shuts down');
        },
        create: async () => {
          throw new Error('a body as large as this is refused before');
        },
      },
      images: {
        async *load() {
          yield* [];
          throw notFound('no such thing');
        },
      },
    },
    {
      onRequest: [
        ({ headers }) => {
          if (headers['x-refused'] !== undefined) throw forbidden('authorization denied');
          return undefined;
        },
      ],
    },
  );
  const [listener] = await server.api.listen('tcp://127.0.0.1:0');
  tcp = listener?.address ?? '';
});
afterAll(() => server[Symbol.asyncDispose]());

/** Sends everything before it reads anything, as simple clients do. @returns all that the server said */
async function sendThenRead(socket: Socket, head: string, body: Buffer): Promise<string> {
  socket.pause();
  const answer = new Promise<string>((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
  answer.catch(() => {});
  socket.write(head);
  for (let at = 0; at < body.length; at += 65_536) {
    const isRoomy = socket.write(body.subarray(at, at + 65_536));
    if (!isRoomy) await Promise.race([once(socket, 'drain'), answer]);
  }
  socket.resume();
  const said = await answer;
  socket.destroy();
  return said;
}

const large = Buffer.alloc(24 * 1024 * 1024, 0x20);
const sized = `Content-Length: ${large.length}\r\n`;
const json = 'Content-Type: application/json\r\n';

const refusals: [name: string, line: string, headers: string, status: number, message: string][] = [
  ['a path that is none', 'POST /nowhere', sized, 404, 'page not found'],
  ['an authorizer', 'POST /build', `X-Refused: 1\r\n${sized}`, 403, 'authorization denied'],
  ['a body that is too long', 'POST /containers/create', json + sized, 400, 'request body'],
  ['a version that is too new', 'PUT /v1.999/containers/c/archive?path=/', sized, 400, 'too new'],
  ['a handler that reads none of it', 'PUT /containers/c/archive?path=/', sized, 503, 'the engine shuts down'],
  ['chunks that are none', 'PUT /containers/c/archive?path=/', 'Transfer-Encoding: chunked\r\n', 400, ''],
  ['a length that is none', 'POST /build', 'Content-Length: many\r\n', 400, 'bad Content-Length'],
  ['two lengths', 'POST /build', `Content-Length: 1\r\n${sized}`, 400, ''],
  ['a connection to take over', 'POST /containers/c/attach?stdin=1', sized, 404, 'No such container: c'],
  ['an upgrade', 'POST /containers/c/attach', `Upgrade: tcp\r\n${sized}`, 404, 'No such container: c'],
];

for (const transport of ['a UNIX socket', 'TCP'] as const) {
  it.each(refusals)(
    `a client that sends on reads why: %s, on ${transport}`,
    async (_, line, headers, status, message) => {
      const [host = '', port = ''] = tcp.replace(/^.*\/\//, '').split(':');
      const socket = transport === 'TCP' ? connect({ host, port: Number(port) }) : server.connect();
      const connection = headers.includes('Upgrade') ? 'Upgrade' : 'close';
      const head = `${line} HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\n${headers}\r\n`;
      const said = await sendThenRead(socket, head, large);
      expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(said).toContain(message);
    },
  );
}

it('a head that is too long is refused so, too', async () => {
  const said = await sendThenRead(server.connect(), 'GET / HTTP/1.1\r\nX-Long: ', Buffer.alloc(large.length, 0x61));
  expect(said).toMatch(/^HTTP\/1\.1 431 /);
});

it('a client that never stops sending is left after so many bytes', async () => {
  const socket = server.connect();
  const failed = once(socket, 'error');
  socket.write('POST /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(0x100000), Buffer.from('\r\n')]);
  let sent = 0;
  while (!socket.destroyed && sent < 4 * lingering.bytes) {
    sent += chunk.length;
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => {}), failed]);
  }
  await failed;
  expect(sent).toBeLessThan(4 * lingering.bytes);
});
