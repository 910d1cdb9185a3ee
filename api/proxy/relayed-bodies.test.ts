import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { talk, until } from '../testing/fakes.js';
import { ProxyBench } from './fake-engine.fixture.js';

let bench: ProxyBench;
beforeEach(async () => {
  bench = await new ProxyBench().start();
});
afterEach(() => bench[Symbol.asyncDispose]());

const load = 'POST /v1.41/images/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
const trap = 'POST /v1.41/containers/c/kill HTTP/1.1\r\nHost: x\r\n\r\n';
const last = 'GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const chunk = (data: string): string => `${data.length.toString(16)}\r\n${data}\r\n`;
const loaded = (body: string) => ({ line: 'POST /v1.41/images/load', body });

test('bodies in chunks arrive whole, and so do the requests behind them, wherever the bytes are cut', async () => {
  const requests = {
    chunked: `${load}${chunk(trap)}${chunk('more')}0\r\n\r\n`,
    extended: `${load}4;a=b\r\nmore\r\n0\r\nContent-Length: 9\r\n\r\n`,
    empty: `${load}0\r\n\r\n`,
    sized: `POST /v1.41/images/load HTTP/1.1\r\nHost: x\r\nContent-Length: ${trap.length}\r\n\r\n${trap}`,
  };
  const bodies = { chunked: `${trap}more`, extended: 'more', empty: '', sized: trap };
  const names = fc.array(fc.constantFrom(...(Object.keys(requests) as (keyof typeof requests)[])), { maxLength: 4 });
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(names, cuts, async (chosen, where) => {
      bench.seen.length = 0;
      const text = chosen.map((name) => requests[name]).join('');
      const socket = bench.connect();
      const answer = talk(socket, '');
      const positions = where.map((cut) => Math.floor(cut * text.length)).sort((a, b) => a - b);
      let from = 0;
      for (const to of [...positions, text.length]) {
        socket.write(text.slice(from, to));
        from = to;
        await new Promise(setImmediate);
      }
      socket.write(last);
      expect((await answer).match(/HTTP\/1\.1 200 /g)).toHaveLength(chosen.length + 1);
      expect(bench.seen).toMatchObject([...chosen.map((name) => loaded(bodies[name])), { line: 'GET /_ping' }]);
    }),
    { numRuns: 60 },
  );
});

test('a malformed body is refused, and has no end for the engine', async () => {
  const cut = new Promise<void>((resolve) => {
    bench.meet = (request) => void request.once('close', resolve);
  });
  const answer = await talk(bench.connect(), `${load}${chunk('some')}5\r\nlonger\r\n0\r\n\r\n${trap}`);
  expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*malformed chunked encoding/);
  await cut;
  expect(bench.seen).toEqual([]);
});

test('the rest of a body is dropped when the request is denied, or the engine answers before it has come', async () => {
  const rest = `${chunk('x'.repeat(300_000))}${chunk(trap)}0\r\n\r\n`;
  bench.allows = ({ uri }) => uri === '/_ping';
  expect(await talk(bench.connect(), `${load}${rest}${last}`)).toMatch(/^HTTP\/1\.1 403 [\s\S]*HTTP\/1\.1 200 /);
  expect(bench.seen.map(({ line }) => line)).toEqual(['GET /_ping']);

  bench.allows = () => true;
  bench.meet = (request, response) => {
    if (request.method === 'POST') response.writeHead(413, { Connection: 'close' }).end('no');
  };
  const socket = bench.connect();
  socket.write(`${load}${chunk('begun')}`);
  expect(await until(socket, 'no')).toMatch(/^HTTP\/1\.1 413 /);
  expect(await talk(socket, `${rest}${last}`)).toMatch(/^HTTP\/1\.1 200 /);
});

/** The engine reads the next load once `read` is called; `met` resolves when the request is there. */
function holdLoads(): { met: Promise<IncomingMessage>; read: () => void } {
  let read = (): void => {};
  const mayRead = new Promise<void>((resolve) => (read = resolve));
  const met = new Promise<IncomingMessage>((resolve) => {
    bench.meet = (request) => {
      if (request.method !== 'POST') return undefined;
      resolve(request);
      return mayRead;
    };
  });
  return { met, read };
}

test('an engine that does not read makes the client wait, and gets all later', async () => {
  const { met, read } = holdLoads();
  const piece = 'x'.repeat(1 << 20);
  const pieces = 16;
  let sent = 0;
  const socket = bench.connect();
  const answer = talk(socket, load);
  const allSent = new Promise<void>((resolve) => {
    const send = (): void => void socket.write(chunk(piece), () => (++sent < pieces ? send() : resolve()));
    send();
  });
  await met;
  for (let before = -1; before !== sent; ) {
    before = sent;
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  }
  expect(sent).toBeLessThan(pieces);
  read();
  await allSent;
  socket.write(`0\r\n\r\n${last}`);
  expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(bench.seen[0]?.body).toBe(piece.repeat(pieces));
});

test.each([true, false])('a client that goes in the middle is missed, whether the engine reads: %s', async (reads) => {
  const { met, read } = holdLoads();
  if (reads) read();
  const socket = bench.connect();
  socket.on('error', () => {});
  socket.write(`${load}${chunk('begun')}${chunk('x'.repeat(8 << 20))}`);
  const request = await met;
  const closed = new Promise((resolve) => request.socket.once('close', resolve));
  socket.destroy();
  read();
  await closed;
  expect(bench.seen).toEqual([]);
});
