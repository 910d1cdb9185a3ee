import { fileURLToPath } from 'node:url';
import { HookBench } from '@cleat/engine/hooks/hooks.fixture';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { talk, until } from '../testing/fakes.js';
import { ProxyBench } from './fake-engine.fixture.js';

const module = fileURLToPath(new URL('../hooks/loud.fixture.ts', import.meta.url));
const manifest = `extensions: {loud: {driver: loud, module: '${module}', kinds: [RequestHook]}}`;

let hooks: HookBench;
let bench: ProxyBench;
beforeEach(async () => {
  hooks = new HookBench(manifest);
  hooks.file('hooks: [{name: loud}]');
  bench = await new ProxyBench().start({ services: { hooks: hooks.hooks } });
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  await hooks[Symbol.asyncDispose]();
});

const head = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n');

test('a body goes through a hook as it comes, and arrives in chunks, whatever its coding was', async () => {
  await talk(bench.connect(), `${head('POST /images/load', 'Transfer-Encoding: chunked')}5\r\nfirst\r\n0\r\n\r\n`);
  await talk(bench.connect(), `${head('POST /images/load', 'Content-Length: 6')}second`);
  expect(bench.seen).toMatchObject([
    { body: 'FIRST', headers: { 'x-loud': 'yes', 'transfer-encoding': 'chunked' } },
    { body: 'SECOND', headers: { 'transfer-encoding': 'chunked' } },
  ]);
});

test.each([
  ['in chunks', {}],
  ['of a known length', { 'Content-Length': '6' }],
])('an answer goes through a hook while it lasts, %s', async (_how, headers) => {
  let finish = (): void => {};
  bench.respond = (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/x-tar', ...headers }).write('one');
    finish = () => response.end('two');
  };
  const client = bench.connect();
  client.write(head('GET /images/x/get'));
  const begun = await until(client, 'ONE');
  expect(begun).toMatch(/^HTTP\/1\.1 200 .*^X-Was: 200\r$/ms);
  expect(begun).not.toMatch(/content-length/i);
  const rest = until(client, '0\r\n\r\n');
  finish();
  expect(await rest).toContain('TWO');
});

test('an error in the place of a stream is a whole answer, of which the hook sees the head', async () => {
  bench.respond = (_request, response) => {
    response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"message":"no"}');
  };
  const answer = await talk(bench.connect(), head('GET /images/x/get'));
  expect(answer).toMatch(/^HTTP\/1\.1 404 .*^X-Was: 404\r$.*\{"message":"no"\}$/ms);
});

test('a stream that a hook breaks is cut, at the engine, too', async () => {
  const cut = new Promise<void>((resolve) => {
    bench.respond = (_request, response) => {
      response.once('close', resolve);
      response.writeHead(200, { 'Content-Type': 'application/x-tar' }).write('break it');
    };
  });
  const answer = await talk(bench.connect(), head('GET /images/x/get')).catch(String);
  expect(answer).not.toContain('0\r\n\r\n');
  await cut;

  const received = new Promise<void>((resolve) => {
    bench.meet = (request) => void request.once('close', resolve);
  });
  bench.seen.length = 0;
  await talk(bench.connect(), `${head('POST /images/load', 'Transfer-Encoding: chunked')}8\r\nbreak it\r\n0\r\n\r\n`);
  await received;
  expect(bench.seen).toEqual([]);
});
