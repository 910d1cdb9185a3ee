import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { readPlainHead } from './plain-answer.js';

const read = (text: string) => readPlainHead(Buffer.from(text, 'latin1'));

it('reads what servers of Node, Go and Rust send', () => {
  const type = 'Content-Type: application/vnd.docker.plugins.v1.2+json';
  const date = 'Date: Mon, 30 Nov 2026 03:58:41 GMT';
  const node = `HTTP/1.1 200 OK\r\n${type}\r\nContent-Length: 2\r\n${date}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n`;
  expect(read(`${node}{}`)).toEqual({ status: 200, size: node.length, length: 2, keptSeconds: 5 });
  const go = `HTTP/1.1 500 Internal Server Error\r\n${type}\r\n${date}\r\nContent-Length: 16\r\n\r\n`;
  expect(read(go)).toEqual({ status: 500, size: go.length, length: 16, keptSeconds: undefined });
  expect(read('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')).toMatchObject({ status: 404, length: 0 });
});

const ok = 'HTTP/1.1 200 OK\r\n';
const length = 'Content-Length: 2\r\n';

it.each([
  ['nothing', ''],
  ['half a head', ok + length],
  ['another version', `HTTP/1.0 200 OK\r\n${length}\r\n`],
  ['an interim answer', `HTTP/1.1 100 Continue\r\n${length}\r\n`],
  ['a switch', `HTTP/1.1 101 Switching Protocols\r\n${length}\r\n`],
  ['one that has no body', `HTTP/1.1 204 No Content\r\n${length}\r\n`],
  ['no length', `${ok}\r\n`],
  ['two lengths', `${ok}${length}${length}\r\n`],
  ['a signed length', `${ok}Content-Length: +2\r\n\r\n`],
  ['an octal length', `${ok}Content-Length: 02\r\n\r\n`],
  ['chunks', `${ok}Transfer-Encoding: chunked\r\n\r\n`],
  ['chunks with a length', `${ok}${length}Transfer-Encoding: chunked\r\n\r\n`],
  ['the last of its connection', `${ok}${length}Connection: close\r\n\r\n`],
  ['headers for this connection only', `${ok}${length}Connection: keep-alive, x\r\n\r\n`],
  ['a strange hint', `${ok}${length}Keep-Alive: max=5\r\n\r\n`],
  ['a folded header', `${ok}${length}X: a\r\n b\r\n\r\n`],
  ['a space before the colon', `${ok}${length}X : a\r\n\r\n`],
  ['an empty header', `${ok}${length}X: \r\n\r\n`],
  ['no ASCII', `${ok}${length}X: \xe4\r\n\r\n`],
  ['a carriage return alone', `${ok}${length}X: a\rb\r\n\r\n`],
  ['line feeds alone', 'HTTP/1.1 200 OK\nContent-Length: 2\n\n'],
  ['much', `${ok}${length}X: ${'a'.repeat(5000)}\r\n\r\n`],
])('leaves to Node’s parser: %s', (_name, text) => {
  expect(read(text)).toBeUndefined();
});

test('it reads any head as Node’s parser does, or not at all', async () => {
  const heads = [
    `${ok}Content-Type: application/json\r\n${length}Date: Mon, 30 Nov 2026 03:58:41 GMT\r\nConnection: keep-alive\r\n\r\n`,
    `HTTP/1.1 500 Internal Server Error\r\n${length}Keep-Alive: timeout=5\r\nX-A: b\r\n\r\n`,
    `${ok}${length}\r\n`,
  ];
  const pieces = [
    ...[
      '\r',
      '\n',
      '\r\n',
      '\r\n\r\n',
      ' ',
      '\t',
      '\0',
      ':',
      ',',
      ';',
      '"',
      '\x7f',
      '\x80',
      '\xff',
      'a',
      'Z',
      '0',
      '2',
    ],
    ...['HTTP/1.0 ', ' 204 ', ' 302 ', '\r\n ', ': ', 'X: y\r\n', 'Content-Length: 2\r\n', 'Content-Length: 1\r\n'],
    ...['Transfer-Encoding: chunked\r\n', 'Upgrade: h2c\r\n', 'Connection: close\r\n', 'Trailer: x\r\n'],
  ];
  const change = fc.record({
    at: fc.nat(150),
    cut: fc.integer({ min: 0, max: 3 }),
    put: fc.constantFrom('', ...pieces),
  });
  let bytes = Buffer.alloc(0);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(bytes));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const readByNode = (): Promise<{ status: number | undefined; text: string }> =>
    new Promise((resolve, reject) => {
      const agent = new Agent({ keepAlive: true });
      const asked = request({ port, host: '127.0.0.1', agent }, (response) => {
        let text = '';
        response.setEncoding('latin1').on('data', (part: string) => {
          text += part;
        });
        response.on('error', reject).on('end', () => {
          agent.destroy();
          resolve({ status: response.statusCode, text });
        });
      });
      asked.on('error', reject).end();
    });
  let plain = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...heads), fc.array(change, { maxLength: 2 }), async (base, changes) => {
      const text = changes.reduce((head, { at, cut, put }) => {
        const where = at % (head.length + 1);
        return head.slice(0, where) + put + head.slice(where + cut);
      }, base);
      const head = read(text);
      // Else more would follow the head, and be taken for the body.
      if (head?.size !== text.length || head.length > 99) return;
      plain++;
      const body = 'x'.repeat(head.length);
      bytes = Buffer.from(text + body, 'latin1');
      expect(await readByNode()).toEqual({ status: head.status, text: body });
    }),
    { numRuns: 600 },
  );
  server.close();
  expect(plain).toBeGreaterThan(60);
});
