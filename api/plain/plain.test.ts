import { once } from 'node:events';
import type { Socket } from 'node:net';
import { CleatError, type ErrorClass, errorStatus } from '@cleat/protocol/errors';
import { type Logger, silentLogger } from '@cleat/protocol/log';
import Type from '@cleat/protocol/schema';
import { expect, it } from 'vitest';
import { jsonBody } from '../http/body.js';
import type { Route } from '../http/router.js';
import { startApi, talk, until } from '../testing/fakes.js';

const named = jsonBody(Type.Object({ Name: Type.Optional(Type.String()) }));
const post = (path: string, handler: Route['handler'], body?: typeof named): Route => ({
  method: 'POST',
  path,
  handler,
  body,
});
const get = (path: string, handler: Route['handler']): Route => ({ method: 'GET', path, handler });
/** One of each kind of answer. */
const routes: Route[] = [
  get('/text', (x) => x.sendText(200, 'grüß dich')),
  get('/json', async (x) => x.send(200, { a: [1, null, 'ß'], big: 10n ** 18n })),
  get('/created', (x) => x.send(201, {})),
  get('/encoded', (x) => x.sendJson(200, Buffer.from('{}\n'))),
  get('/large', (x) => x.sendText(200, 'x'.repeat(500_000))),
  get('/empty', (x) => x.sendEmpty(200)),
  get('/nothing', (x) => x.sendEmpty(204)),
  get('/headers', (x) => {
    x.response.setHeader('x-more', '\u00e4');
    x.response.setHeader('content-type', 'text/html');
    x.sendText(200, `${x.headers.host} ${x.headers['user-agent']} ${x.query.text('q')}`);
  }),
  get('/split', (x) => {
    x.response.setHeader('X-More', 'a\r\nX-Injected: b');
    x.sendText(200, '');
  }),
  get('/late', (x) => {
    x.sendText(200, 'sent');
    throw new Error('too late');
  }),
  get('/stream', async (x) => x.begin(200, 'text/plain')),
  get('/broken', () => {
    throw new TypeError('a bug');
  }),
  ...(Object.keys(errorStatus) as ErrorClass[]).map((name) =>
    get(`/${name}`, async () => {
      throw new CleatError(name, `it is ${name}`);
    }),
  ),
];

/** The answer without its time. */
const asSaid = (answer: string): string => answer.replace(/Date: .*GMT/g, 'Date: now');

/** A header that the reader of plain requests does not know sends a request to Node's parser. */
const byNode = 'X-By: node\r\n';

async function ask(socket: Socket, method: string, target: string, more = ''): Promise<string> {
  const last = until(socket, 'plain-end');
  socket.write(`${method} ${target} HTTP/1.1\r\nHost: x\r\nUser-Agent: Docker-Client/1 (linux)\r\n${more}\r\n`);
  socket.write(`GET /plain-end HTTP/1.1\r\nHost: x\r\n\r\n`);
  const answer = await last;
  return asSaid(answer.slice(0, answer.lastIndexOf('HTTP/1.1 ')));
}

it('answers each kind of answer byte by byte as Node does', async () => {
  const end = get('/plain-end', (x) => x.sendText(200, 'plain-end'));
  const lines: string[] = [];
  const log: Logger = { ...silentLogger, error: (message) => void lines.push(message), child: () => log };
  await using server = await startApi({}, { routes: [...routes, end], log });
  const socket = server.connect();
  for (const { path } of routes) {
    for (const version of ['', '/v1.51', '/v1.20', '/v1.12', '/v1.99']) {
      for (const method of ['GET', 'HEAD']) {
        const target = `${version}${path}?q=a%20b+c`;
        const plain = await ask(socket, method, target);
        const failures = lines.splice(0);
        expect({ target, answer: plain }).toEqual({ target, answer: await ask(socket, method, target, byNode) });
        expect(lines.splice(0)).toEqual(failures);
        expect(plain).toMatch(/^HTTP\/1\.1 \d{3} .*\r\n\r\n/s);
      }
    }
  }
  expect(await ask(socket, 'GET', '/text?a=1;b=2')).toBe(await ask(socket, 'GET', '/text?a=1;b=2', byNode));
  expect(await ask(socket, 'GET', '/text?a=%zz')).toBe(await ask(socket, 'GET', '/text?a=%zz', byNode));
  expect(await ask(socket, 'GET', '/%zz')).toBe(await ask(socket, 'GET', '/%zz', byNode));
  socket.destroy();
});

it('reads bodies as it does those that Node’s parser brings', async () => {
  const echo = post('/echo', async (x) => x.send(201, (await x.json(named)) ?? null), named);
  const deaf = post('/deaf', (x) => x.sendEmpty(204));
  const end = get('/plain-end', (x) => x.sendText(200, 'plain-end'));
  await using server = await startApi({}, { routes: [echo, deaf, end] });
  const socket = server.connect();
  const json = 'Content-Type: application/json\r\n';
  for (const path of ['/echo', '/deaf', '/nowhere']) {
    for (const body of [
      '{"Name":"a"}',
      '{"name":"ß"}',
      '{}',
      '',
      ' ',
      '{',
      '[]',
      '{"Name":1}',
      'GET / HTTP/1.1\r\n\r\n',
      'x'.repeat(60_000),
    ]) {
      for (const type of [json, '', 'Content-Type: text/plain\r\n']) {
        const answers: string[] = [];
        for (const way of ['', byNode]) {
          const last = until(socket, 'plain-end');
          const head = `POST ${path} HTTP/1.1\r\nHost: x\r\n${type}${way}Content-Length: ${body.length}\r\n\r\n`;
          socket.write(`${head}${body}GET /plain-end HTTP/1.1\r\nHost: x\r\n\r\n`, 'latin1');
          answers.push(asSaid(await last));
        }
        expect({ path, body, type, answer: answers[0] }).toEqual({ path, body, type, answer: answers[1] });
        expect(answers[0]?.match(/HTTP\/1\.1 \d{3} /g)).toHaveLength(2);
      }
    }
  }
  // A head that comes in two pieces.
  const whole = until(socket, '"Name":"later"}');
  socket.write(`POST /echo HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 16\r\n\r\n{"Name":`);
  await new Promise((resolve) => setImmediate(resolve));
  socket.write('"later"}');
  expect(await whole).toMatch(/^HTTP\/1\.1 201 /);
  socket.destroy();
});

it('is judged by the same checks, which see the same request', async () => {
  const seen: unknown[] = [];
  await using server = await startApi(
    {},
    {
      onRequest: [
        async ({ uri, method, headers, request }) => {
          seen.push({ uri, method, host: headers.host, raw: request.rawHeaders.slice(0, 2) });
          return async ({ headers, body }) => {
            if (String(body) === 'OK') throw new CleatError('Forbidden', `no ${String(headers.swarm)}`);
          };
        },
      ],
    },
  );
  const request = (more: string) => `GET /v1.50/_ping?a=%41 HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  const socket = server.connect();
  const answers: string[] = [];
  for (const more of ['', byNode]) {
    const answer = until(socket, 'no inactive"}\n');
    socket.write(request(more));
    answers.push(asSaid(await answer));
  }
  expect(answers[0]).toMatch(/^HTTP\/1\.1 403 /);
  expect(answers[1]).toBe(answers[0]);
  const fields = { uri: '/v1.50/_ping?a=A', method: 'GET', host: 'x', raw: ['Host', 'x'] };
  expect(seen).toEqual([fields, fields]);
  socket.destroy();
});

it('serves what is sent ahead in its order, both ways in turn', async () => {
  const order: string[] = [];
  const slow = get('/slow/:n', async (x) => {
    order.push(`begun ${x.param('n')}`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`done ${x.param('n')}`);
    x.sendText(200, x.param('n'));
  });
  await using server = await startApi({}, { routes: [slow] });
  const requests = Array.from({ length: 40 }, (_none, n) => {
    const more = n % 3 === 0 ? byNode : n % 5 === 0 ? 'Content-Length: 3\r\n' : '';
    return `GET /slow/${n} HTTP/1.1\r\nHost: x\r\n${more}\r\n${more.startsWith('C') ? 'abc' : ''}`;
  });
  const last = 'GET /_ping HTTP/1.1\r\nConnection: close\r\n\r\n';
  const answer = await talk(server.connect(), requests.join('') + last);
  expect(order).toEqual(requests.flatMap((_request, n) => [`begun ${n}`, `done ${n}`]));
  expect([...answer.matchAll(/\r\n\r\n(\d+)HTTP/g)].map(([, n]) => Number(n))).toEqual(
    requests.map((_request, n) => n),
  );
});

it('answers a client that half-closes behind its request, and closes then', async () => {
  await using server = await startApi({}, { routes });
  expect(await talk(server.connect(), 'GET /json HTTP/1.1\r\nHost: x\r\n\r\n', { end: true })).toMatch(/"ß"|\]/);
  const two = 'GET /text HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2);
  expect((await talk(server.connect(), two, { end: true })).match(/HTTP\/1\.1 200/g)).toHaveLength(2);
});

it('tells a handler that its client has gone', async () => {
  let isGone = (): void => {};
  const gone = new Promise<void>((resolve) => {
    isGone = resolve;
  });
  const waits = get('/waits', async (x) => {
    if (!x.signal.aborted) await once(x.signal, 'abort');
    isGone();
  });
  await using server = await startApi({}, { routes: [waits] });
  const socket = server.connect();
  socket.write('GET /waits HTTP/1.1\r\nHost: x\r\n\r\n', () => socket.destroy());
  await gone;
});

it('does not outrun a client that reads nothing', async () => {
  let served = 0;
  const large = get('/large', (x) => {
    served++;
    x.sendText(200, 'x'.repeat(1_000_000));
  });
  await using server = await startApi({}, { routes: [large] });
  const socket = server.connect();
  socket.pause();
  socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100));
  let before = -1;
  const isStill = (): boolean => {
    const still = served > 0 && served === before;
    before = served;
    return still;
  };
  await expect.poll(isStill, { interval: 50 }).toBe(true);
  expect(served).toBeLessThan(10);
  let read = 0;
  const all = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      read += chunk.length;
      if (read > 100 * 1_000_000) resolve();
    });
  });
  socket.resume();
  await all;
  expect(served).toBe(100);
  socket.destroy();
});
