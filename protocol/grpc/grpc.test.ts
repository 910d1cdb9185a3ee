import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http2 from 'node:http2';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { conflict } from '../errors.js';
import { silentLogger } from '../log.js';
import { GrpcClient } from './client.js';
import { count, message, string } from './message.js';
import { type Call, serveGrpc, serverStream, streaming, timeoutMs, unary } from './server.js';
import { code, StatusError } from './status.js';

const text = message({ text: string(1) });
const number = message({ number: count(1) });
const calls: Call[] = [];

const methods = new Map([
  ['/t/Echo', unary(text, text, (request) => request)],
  [
    '/t/Count',
    serverStream(number, number, async function* ({ number: to }) {
      for (let at = 1; at <= to; at++) yield { number: at };
    }),
  ],
  [
    '/t/Join',
    streaming(text, text, async function* (requests) {
      for await (const request of requests) yield { text: `${request.text}!` };
    }),
  ],
  [
    '/t/Fail',
    unary(text, text, ({ text: how }) => {
      if (how === 'typed') throw new StatusError(code.unknown, 'typed', [{ typeUrl: 'x/y', value: Buffer.from('{}') }]);
      if (how === 'long')
        throw new StatusError(code.unknown, 'long', [{ typeUrl: 'x/y', value: Buffer.alloc(100_000) }]);
      throw conflict('schon da: 100 % Ärger\n');
    }),
  ],
  [
    '/t/Wait',
    unary(text, text, async (_request, call) => {
      calls.push(call);
      await new Promise((resolve) => call.signal.addEventListener('abort', resolve, { once: true }));
      throw call.signal.reason;
    }),
  ],
]);

let directory: string;
let server: Server;
let client: GrpcClient;
let accepted: Socket;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cleat-grpc-'));
  server = createServer((socket) => {
    accepted = socket;
    void serveGrpc(socket, methods, silentLogger);
  }).listen(join(directory, 's'));
  await once(server, 'listening');
  client = connect();
});
afterAll(async () => {
  client.close();
  server.close();
  await rm(directory, { recursive: true });
});
const connect = (): GrpcClient => new GrpcClient(dial(join(directory, 's')), silentLogger);

async function failure(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => expect.fail('it succeeded'),
    (error: Error) => error,
  );
}

test('a message is answered by one', async () => {
  const long = 'x'.repeat(3_000_000);
  expect(await client.call('/t/Echo', [text, text], { text: 'hi' })).toEqual({ text: 'hi' });
  expect(await client.call('/t/Echo', [text, text], { text: long })).toEqual({ text: long });
  expect(await client.call('/t/Echo', [text, text], {})).toEqual({ text: '' });
});

test('a message is answered by many, and many by many', async () => {
  const counting = client.stream('/t/Count', [number, number]);
  await counting.send({ number: 500 });
  counting.end();
  let last = 0;
  for await (const one of counting.messages) last = one.number;
  expect(last).toBe(500);
  const joined = client.stream('/t/Join', [text, text]);
  const heard: string[] = [];
  const hearing = (async () => {
    for await (const one of joined.messages) heard.push(one.text);
  })();
  for (const word of ['a', 'b']) await joined.send({ text: word });
  joined.end();
  await hearing;
  expect(heard).toEqual(['a!', 'b!']);
});

test('an error has its code and its words', async () => {
  expect(await failure(client.call('/t/Fail', [text, text], {}))).toMatchObject({
    code: code.alreadyExists,
    class: 'Conflict',
    message: 'schon da: 100 % Ärger\n',
  });
  // Clients take no header lists of that length: without its details it arrives.
  expect(await failure(client.call('/t/Fail', [text, text], { text: 'long' }))).toMatchObject({ message: 'long' });
  expect(await failure(client.call('/t/Nothing', [text, text], {}))).toMatchObject({ class: 'NotImplemented' });
});

test('details of an error go as google.rpc.Status', async () => {
  const session = http2.connect('http://x', { createConnection: () => dial(join(directory, 's')) });
  const stream = session.request({ ':method': 'POST', ':path': '/t/Fail', 'content-type': 'application/grpc' });
  stream.end(Buffer.from('00000000070a057479706564', 'hex'));
  stream.resume();
  const [trailers] = await once(stream, 'trailers');
  expect(trailers['grpc-status']).toBe('2');
  const details = Buffer.from(String(trailers['grpc-status-details-bin']), 'base64').toString('latin1');
  expect(details).toContain('x/y');
  session.close();
});

test('a call ends with its client’s deadline, its cancellation and its connection', async () => {
  const path = '/t/Wait';
  expect(await failure(client.call(path, [text, text], {}, { headers: { 'grpc-timeout': '50m' } }))).toMatchObject({
    code: code.deadlineExceeded,
  });
  const stop = new AbortController();
  const waiting = failure(client.call(path, [text, text], {}, { signal: stop.signal }));
  await expect.poll(() => calls.length).toBe(2);
  stop.abort();
  await waiting;
  await expect.poll(() => calls[1]?.signal.aborted).toBe(true);
  const other = connect();
  const lost = failure(other.call(path, [text, text], {}));
  await expect.poll(() => calls.length).toBe(3);
  accepted.destroy();
  expect(await lost).toMatchObject({ class: 'Unavailable' });
  await expect.poll(() => calls[2]?.signal.aborted).toBe(true);
  other.close();
});

test.each([
  ['larger than is taken', '00ffffffff', code.resourceExhausted],
  ['compressed', '0100000001aa', code.unimplemented],
  ['cut', '00000000ff0a', code.internal],
  ['malformed', '00000000020aff', code.internal],
  ['missing', '', code.internal],
])('a message that is %s is refused, and the connection lives', async (_name, hex, expected) => {
  const session = http2.connect('http://x', { createConnection: () => dial(join(directory, 's')) });
  const call = async (body: Buffer): Promise<number> => {
    const stream = session.request({ ':method': 'POST', ':path': '/t/Echo', 'content-type': 'application/grpc' });
    stream.end(body);
    stream.resume();
    const [trailers] = await once(stream, 'trailers');
    return Number(trailers['grpc-status']);
  };
  expect(await call(Buffer.from(hex, 'hex'))).toBe(expected);
  expect(await call(Buffer.from('0000000000', 'hex'))).toBe(code.ok);
  session.close();
});

test('deadlines are read in all units', () => {
  expect(['2H', '3M', '4S', '5m', '6000u', '1n', 'x', undefined].map((text) => timeoutMs(text))).toEqual([
    7_200_000,
    180_000,
    4000,
    5,
    6,
    1e-6,
    undefined,
    undefined,
  ]);
});

test('a server is asked by calls whether it is there, not by pings; one that answers none is closed', async () => {
  let pings = 0;
  let calls = 0;
  let isHung = false;
  const path = join(directory, 'counting');
  const counting = http2.createServer();
  counting.on('session', (session) => session.on('ping', () => pings++));
  counting.on('stream', (stream) => {
    calls++;
    stream.on('error', () => {});
    // An error is an answer, too.
    const unimplemented = { ':status': 200, 'grpc-status': '12', 'content-type': 'application/grpc' };
    if (!isHung) stream.respond(unimplemented, { endStream: true });
  });
  await once(counting.listen(path), 'listening');
  try {
    const other = new GrpcClient(dial(path), silentLogger);
    const closed = new Promise<void>((resolve) => other.onClose(resolve));
    other.keepAlive(20, 500);
    await expect.poll(() => calls).toBeGreaterThan(5);
    expect([other.isClosed, pings]).toEqual([false, 0]);
    isHung = true;
    await closed;
  } finally {
    counting.close();
  }
});
