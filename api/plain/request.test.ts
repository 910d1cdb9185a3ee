import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PlainRequest, readPlainRequest } from './request.js';

const read = (text: string): PlainRequest | undefined => readPlainRequest(Buffer.from(text, 'latin1'));

it('reads what the docker CLI and curl send', () => {
  expect(
    read('HEAD /_ping HTTP/1.1\r\nHost: api.moby.localhost\r\nUser-Agent: Docker-Client/28.3.2 (linux)\r\n\r\n'),
  ).toEqual({
    method: 'HEAD',
    url: '/_ping',
    headers: { host: 'api.moby.localhost', 'user-agent': 'Docker-Client/28.3.2 (linux)' },
    rawHeaders: ['Host', 'api.moby.localhost', 'User-Agent', 'Docker-Client/28.3.2 (linux)'],
    length: 0,
  });
  const type = 'Content-Type: application/json\r\n';
  expect(read(`POST /containers/create HTTP/1.1\r\nHost: x\r\n${type}Content-Length: 20\r\n\r\n`)?.length).toBe(20);
  expect(read('DELETE /containers/c HTTP/1.1\r\nHost: x\r\n\r\n')?.length).toBe(0);
  const target = '/v1.51/containers/json?all=1&filters=%7B%22name%22%3A%5B%22a%22%5D%7D';
  expect(read(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n`)?.url).toBe(target);
});

const line = 'GET /_ping HTTP/1.1\r\n';

it.each([
  ['a body by its length', `${line}Content-Length: 5\r\n\r\n`],
  ['an empty body', `${line}Content-Length: 0\r\n\r\n`],
  ['a body in chunks', `${line}Transfer-Encoding: chunked\r\n\r\n`],
  ['an upgrade', `${line}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n`],
  ['the last of its connection', `${line}Connection: close\r\n\r\n`],
  ['headers for this connection only', `${line}Connection: keep-alive, content-length\r\n\r\n`],
  ['an expectation', `${line}Expect: 100-continue\r\n\r\n`],
  ['a header that is not known', `${line}X-Other: 1\r\n\r\n`],
  ['a web page’s', `${line}Origin: http://evil.example\r\n\r\n`],
  ['a header twice', `${line}Host: a\r\nhost: b\r\n\r\n`],
  ['an empty header', `${line}Host: \r\n\r\n`],
  ['a folded header', `${line}Host: a\r\n b\r\n\r\n`],
  ['a space before the colon', `${line}Host : a\r\n\r\n`],
  ['a space at the end', `${line}Host: a \r\n\r\n`],
  ['a tab', `${line}Host:\ta\r\n\r\n`],
  ['no ASCII', `${line}Host: \xe4\r\n\r\n`],
  ['a NUL', `${line}Host: a\0b\r\n\r\n`],
  ['line feeds alone', 'GET /_ping HTTP/1.1\nHost: a\n\n'],
  ['a carriage return alone', `${line}Host: a\rX: b\r\n\r\n`],
  ['another version', 'GET /_ping HTTP/1.0\r\n\r\n'],
  ['no version', 'GET /_ping\r\n\r\n'],
  ['a strange length', 'POST / HTTP/1.1\r\nContent-Length: 05\r\n\r\n'],
  ['a signed length', 'POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n'],
  ['a long body', 'POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n'],
  ['two lengths', 'POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n'],
  ['a length beside chunks', 'POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['a body where none belongs', 'DELETE / HTTP/1.1\r\nContent-Length: 5\r\n\r\n'],
  ['another method', 'PUT /_ping HTTP/1.1\r\n\r\n'],
  ['a method in lower case', 'get /_ping HTTP/1.1\r\n\r\n'],
  ['two spaces', 'GET  /_ping HTTP/1.1\r\n\r\n'],
  ['an absolute target', 'GET http://x/_ping HTTP/1.1\r\n\r\n'],
  ['a fragment', 'GET /_ping#x HTTP/1.1\r\n\r\n'],
  ['no end', `${line}Host: a\r\n`],
  ['more than a head', `${line}Host: a\r\n\r\nGET`],
  ['much', `${line}Host: ${'a'.repeat(5000)}\r\n\r\n`],
])('leaves to Node’s parser: %s', (_name, text) => {
  expect(read(text)).toBeUndefined();
});

/** Node's own reading of the requests on one connection. */
let readByNode: (text: string) => Promise<object[]>;
const server = createServer({ requireHostHeader: false });
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let seen: object[] = [];
  server.on('request', (request, response) => {
    const { method, url, headers, rawHeaders } = request;
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
    });
    request.on('end', () => {
      seen.push({ method, url, headers: { ...headers }, rawHeaders, length });
      response.end();
    });
  });
  readByNode = async (text) => {
    seen = [];
    const socket = connect(port, '127.0.0.1').resume();
    socket.write(text, 'latin1');
    await once(socket, 'close');
    return seen;
  };
});
afterAll(() => void server.close());

it('reads any head as Node’s parser does, or not at all', async () => {
  const heads = [
    'GET /v1.51/containers/a%20b/json?size=1&x=~ HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client/28.3.2 (linux)\r\n\r\n',
    'HEAD /_ping HTTP/1.1\r\nhost: x\r\nAccept: */*\r\nConnection: keep-alive\r\nAccept-Encoding: gzip, deflate\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'POST /v1.51/containers/create?name=a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n',
    'DELETE /containers/a?force=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: curl/8\r\n\r\n',
  ];
  const pieces = [
    ...['\r', '\n', '\r\n', '\r\n\r\n', ' ', '\t', '\0', ':', ',', ';', '"', '%', '#', '\\', '\x7f', '\x80', '\xff'],
    ...[
      'GET ',
      'POST ',
      ' HTTP/1.0',
      'http://y',
      '//',
      'a',
      'Z',
      '0',
      '-',
      '_',
      '\r\n ',
      ': ',
      'Host: y\r\n',
      'host: y\r\n',
    ],
    ...[
      'Content-Length: 3\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Upgrade: h2c\r\n',
      'Connection: close\r\n',
      'Accept: b\r\n',
    ],
  ];
  const change = fc.record({
    at: fc.nat(200),
    cut: fc.integer({ min: 0, max: 3 }),
    put: fc.constantFrom('', ...pieces),
  });
  const last = 'GET /last HTTP/1.1\r\nConnection: close\r\n\r\n';
  let plain = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...heads), fc.array(change, { maxLength: 3 }), async (base, changes) => {
      const head = changes.reduce((text, { at, cut, put }) => {
        const where = at % (text.length + 1);
        return text.slice(0, where) + put + text.slice(where + cut);
      }, base);
      const request = read(head);
      if (!request) return;
      plain++;
      // A body of another length would be found: it is, or swallows, the next request.
      expect(await readByNode(head + 'x'.repeat(request.length) + last)).toEqual([
        request,
        expect.objectContaining({ url: '/last' }),
      ]);
    }),
    { numRuns: 1500 },
  );
  expect(plain).toBeGreaterThan(150);
});
