import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { talk, until } from '../testing/fakes.js';
import { ProxyBench } from './fake-engine.fixture.js';

let bench: ProxyBench;
beforeEach(async () => {
  bench = await new ProxyBench().start();
});
afterEach(() => bench[Symbol.asyncDispose]());

/** A request and its whole answer, on a connection of its own. */
const ask = (line: string, headers: string[] = [], body = ''): Promise<string> =>
  talk(bench.connect(), [`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', body].join('\r\n'));
const json = (body: string): string[] => ['Content-Type: application/json', `Content-Length: ${body.length}`];
const create = (body: string, path = '/v1.41/containers/create'): Promise<string> =>
  ask(`POST ${path}`, json(body), body);

describe('the request that is judged is the one that is handed on', () => {
  test.each([
    ['GET /v1.41/containers/%6ason?all=%31', 'GET /v1.41/containers/json?all=1'],
    ['GET http://elsewhere/containers/json', 'GET /containers/json'],
    ['GET //containers/json', 'GET /containers/json'],
    ['GET /containers/json/', 'GET /containers/json'],
    ['GET /images/a%2Fb%3Fc/json', 'GET /images/a/b%3Fc/json'],
    ['POST /containers/a%0d%0ab/kill?signal=9', 'POST /containers/a%0D%0Ab/kill?signal=9'],
    [
      'GET /containers/json?filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D',
      'GET /containers/json?filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D',
    ],
  ])('%s', async (line, wanted) => {
    expect(await ask(line)).toMatch(/^HTTP\/1\.1 200 /);
    expect(bench.seen.map((one) => one.line)).toEqual([wanted]);
    expect(bench.judged.map(({ method, uri }) => `${method} ${uri}`)).toEqual([wanted]);
  });

  test.each([
    'GET /containers/../info',
    'GET /containers/x/../../json',
    'GET /containers/%2e%2e/json',
    'GET /containers/.%2e/json',
    'GET /images/a//b/json',
    'GET /containers/%zz/json',
    'GET /v9.99/containers/json',
    'GET /v1.41/v1.24/containers/json',
    'GET /no/such/page',
    'BREW /containers/json',
  ])('%s is refused', async (line) => {
    expect(await ask(line)).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(bench.seen).toEqual([]);
  });

  test.each([
    ['a length beside chunks', ['Transfer-Encoding: chunked', 'Content-Length: 5'], '0\r\n\r\n'],
    ['two lengths', ['Content-Length: 5', 'Content-Length: 0'], 'x'],
    ['another coding', ['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
    ['a folded header', ['X-A: b', ' Transfer-Encoding: chunked'], ''],
  ])('a body framed in two ways is refused: %s', async (_how, headers, body) => {
    const smuggled = `${body}POST /containers/create HTTP/1.1\r\nHost: x\r\n\r\n`;
    expect(await ask('POST /containers/x/kill', headers, smuggled)).toMatch(/^HTTP\/1\.1 400 /);
    expect(bench.seen).toEqual([]);
  });

  test.each([
    ['{"image":"x","HOSTCONFIG":{"privileged":true},"Junk":1}', '{"Image":"x","HostConfig":{"Privileged":true}}'],
    [
      '{"Image":"x","HostConfig":{"Privileged":false},"hostConfig":{"Privileged":true}}',
      '{"Image":"x","HostConfig":{"Privileged":true}}',
    ],
  ])('a body: %s', async (body, wanted) => {
    await create(body);
    expect(bench.seen.map((one) => one.body)).toEqual([wanted]);
    expect(bench.judged.map((one) => one.body)).toEqual([wanted]);
    expect(bench.seen[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': `${wanted.length}`,
    });
  });

  test('a body that is too long to be judged is refused', async () => {
    expect(await create(`{"Image":"${'x'.repeat(5 << 20)}"}`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(bench.seen).toEqual([]);
  });

  test('each header once, none that is for the next neighbour, and a body is never a form', async () => {
    const form = 'fromImage=evil';
    const headers = [
      'X-A: 1',
      'X-A: 2',
      'Connection: X-Hop',
      'X-Hop: 1',
      'Content-Type: application/x-www-form-urlencoded',
      `Content-Length: ${form.length}`,
    ];
    await ask('POST /images/create?fromImage=good', headers, form);
    // A page that takes no body gets none.
    await ask('POST /containers/x/kill', headers, form);
    const [image, kill] = bench.seen;
    expect(image).toMatchObject({ body: form, headers: { 'x-a': '2', 'content-type': 'application/octet-stream' } });
    expect(image?.headers).not.toHaveProperty('x-hop');
    expect(kill).toMatchObject({ body: '', headers: { 'content-length': '0' } });
  });

  test('a request that is denied does not reach the engine', async () => {
    bench.allows = () => false;
    expect(await create('{"Image":"x"}')).toMatch(/^HTTP\/1\.1 403 [\s\S]*denied by plugin p/);
    expect(bench.seen).toEqual([]);
  });

  test('pages of a swarm and of newer engines: JSON is shown as it came, the latter where the operator says so', async () => {
    const body = '{"Name":"s","taskTemplate":{}}';
    await ask('POST /v1.41/services/create', json(body), body);
    expect(bench.seen[0]).toMatchObject({ line: 'POST /v1.41/services/create', body });
    expect(bench.judged[0]?.body).toBe(body);
    bench.required = false;
    await ask('POST /v1.41/new/page?a=1', json(body), body);
    await ask('PUT /v1.41/new/tar', ['Content-Type: application/x-tar', 'Content-Length: 3'], 'tar');
    expect(bench.seen.slice(1)).toMatchObject([
      { line: 'POST /v1.41/new/page?a=1', body },
      { line: 'PUT /v1.41/new/tar', body: 'tar' },
    ]);
  });
});

describe('answers', () => {
  test('the engine’s own words about itself, capped at the version that is understood here', async () => {
    bench.respond = (_request, response) => {
      response
        .setHeader('Api-Version', '9.99')
        .setHeader('Server', 'Docker/99 (linux)')
        .setHeader('Builder-Version', '2');
      response.end('OK');
    };
    const answer = await ask('GET /_ping');
    expect(answer).toMatch(/^Server: Docker\/99 \(linux\)\r$/m);
    expect(answer).toMatch(/^Api-Version: 1\.\d+\r$/m);
    expect(answer).toMatch(/^Builder-Version: 2\r$/m);
    bench.allows = () => false;
    expect(await ask('GET /_ping')).toMatch(/403[\s\S]*Server: Docker\/99 \(linux\)/);
  });

  test('whole ones are judged; those that are too long are refused', async () => {
    await ask('GET /containers/x/json');
    expect(bench.judgedAnswers).toEqual(['{"Id":"abc"}\n']);
    bench.respond = (_request, response) => {
      response.setHeader('Content-Type', 'application/json');
      for (let i = 0; i < 17; i++) response.write('x'.repeat(1 << 20));
      response.end();
    };
    expect(await ask('GET /containers/x/json')).toMatch(/^HTTP\/1\.1 500 [\s\S]*cannot be judged whole/);
  });

  test('streams pass as they come, in any coding; an error in the place of one is judged', async () => {
    const sum = createHash('sha256')
      .update('x'.repeat(3 << 20))
      .digest('hex');
    for (const headers of [{}, { 'Content-Length': 3 << 20 }]) {
      bench.respond = (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/x-tar', ...headers });
        for (let i = 0; i < 3; i++) response.write('x'.repeat(1 << 20));
        response.end();
      };
      const answer = await ask('GET /images/x/get');
      const body = /chunked/i.test(answer) ? dechunked(answer) : answer.slice(answer.indexOf('\r\n\r\n') + 4);
      expect(createHash('sha256').update(body).digest('hex')).toBe(sum);
    }
    bench.judgedAnswers.length = 0;
    bench.respond = (_request, response) => {
      response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"message":"no"}');
    };
    expect(await ask('GET /containers/x/logs?stdout=1')).toMatch(/^HTTP\/1\.1 404 [\s\S]*"no"/);
    expect(bench.judgedAnswers).toEqual(['{"message":"no"}']);
  });

  test('connections to the engine are used again', async () => {
    for (let i = 0; i < 4; i++) await ask('GET /containers/json');
    expect([bench.seen.length, bench.connections]).toEqual([4, 1]);
  });

  test('a client that goes ends its request at the engine, an engine that goes the answer', async () => {
    const gone = new Promise<void>((resolve) => {
      bench.respond = (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/json' }).write('{}\n');
        response.once('close', resolve);
      };
    });
    const client = bench.connect();
    client.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(client, '{}\n');
    client.destroy();
    await gone;

    const other = bench.connect();
    other.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(other, '{}\n');
    const cut = once(other.resume(), 'end');
    bench.stopUpstream();
    await cut;
  });

  test('an engine that is away: 503, until it is back', async () => {
    await ask('GET /_ping');
    bench.stopUpstream();
    expect(await ask('GET /containers/json')).toMatch(/^HTTP\/1\.1 503 [\s\S]*no engine answers/);
    await bench.startUpstream();
    expect(await ask('GET /containers/json')).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('connections that are taken over', () => {
  beforeEach(() => {
    bench.upgrade = (request, socket, head) => {
      const type = 'Content-Type: application/vnd.docker.raw-stream\r\nApi-Version: 1.41';
      socket.write(
        `HTTP/1.1 101 UPGRADED\r\n${type}\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`,
      );
      let input = head.toString();
      socket.on('data', (chunk: Buffer) => {
        input += chunk;
        socket.write(`<${chunk}>`);
      });
      socket.on('end', () => socket.end(`bye ${input.length}`));
    };
  });

  test.each([
    [
      'attach, with an upgrade',
      'POST /containers/x/attach?stdin=1',
      ['Connection: Upgrade', 'Upgrade: tcp'],
      '101',
      'tcp',
    ],
    ['attach, without one', 'POST /containers/x/attach?stdin=1', [], '200', 'tcp'],
    ['HTTP/2', 'POST /grpc', ['Connection: Upgrade', 'Upgrade: h2c'], '101', 'h2c'],
    [
      'a session',
      'POST /session',
      [
        'Connection: Upgrade',
        'Upgrade: h2c',
        'X-Docker-Expose-Session-Grpc-Method: /a',
        'X-Docker-Expose-Session-Grpc-Method: /b',
      ],
      '101',
      'h2c',
    ],
    [
      'a WebSocket',
      'GET /containers/x/attach/ws',
      ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: a', 'Sec-WebSocket-Version: 13'],
      '101',
      'websocket',
    ],
  ])('%s: bytes pass both ways, and so does a half-close', async (_what, line, headers, status, upgrade) => {
    const client = bench.connect();
    client.write([`${line} HTTP/1.1`, 'Host: x', ...headers, '', 'POST / HTTP/1.1\r\n\r\n'].join('\r\n'));
    const begun = await until(client, '<POST / HTTP/1.1\r\n\r\n>');
    expect(begun).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(/^Upgrade: /m.test(begun)).toBe(status === '101');
    const rest = until(client, 'bye ');
    client.end('more');
    expect(await rest).toContain('<more>');
    expect(bench.seen[0]).toMatchObject({ line, headers: { upgrade } });
    const services = bench.seen[0]?.headers['x-docker-expose-session-grpc-method'];
    expect(services).toBe(line.includes('session') ? '/a, /b' : undefined);
    expect(bench.judged).toHaveLength(1);
  });

  test('an exec: its body is judged and handed on; a detached one has an ordinary answer', async () => {
    const body = '{"detach":false,"TTY":true}';
    bench.upgrade = (_request, socket, head) => {
      let text = head.toString();
      const answer = (): void =>
        void (
          text.length >= 27 && socket.end(`HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n${text}`)
        );
      socket.on('data', (chunk: Buffer) => {
        text += chunk;
        answer();
      });
      answer();
    };
    const answer = await ask('POST /exec/x/start', ['Connection: Upgrade', 'Upgrade: tcp', ...json(body)], body);
    expect(answer).toContain('{"Detach":false,"Tty":true}');
    expect(bench.judged[0]?.body).toBe('{"Detach":false,"Tty":true}');
  });

  test('a refusal by the engine is an ordinary answer', async () => {
    bench.upgrade = (_request, socket) => {
      socket.end(
        'HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"message":"no"}',
      );
    };
    const answer = await ask('POST /containers/x/attach', ['Connection: Upgrade', 'Upgrade: tcp']);
    expect(answer).toMatch(/^HTTP\/1\.1 409 [\s\S]*\{"message":"no"\}$/);
  });

  test('a client that goes takes the engine’s side with it, and the other way round', async () => {
    const sides: Socket[] = [];
    const { upgrade } = bench;
    bench.upgrade = (request, socket, head) => {
      sides.push(socket);
      upgrade(request, socket, head);
    };
    const attach = async (): Promise<Socket> => {
      const client = bench.connect();
      client.write('POST /containers/x/attach?stdin=1 HTTP/1.1\r\nHost: x\r\n\r\nhello');
      await until(client, '<hello>');
      return client;
    };
    const first = await attach();
    const closed = once(sides[0] as Socket, 'close');
    first.destroy();
    await closed;
    const second = await attach();
    const ended = once(second.resume(), 'end');
    sides[1]?.destroy();
    await ended;
  });
});

function dechunked(answer: string): string {
  let at = answer.indexOf('\r\n\r\n') + 4;
  let body = '';
  for (;;) {
    const end = answer.indexOf('\r\n', at);
    const size = Number.parseInt(answer.slice(at, end), 16);
    if (size === 0) return body;
    body += answer.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}
