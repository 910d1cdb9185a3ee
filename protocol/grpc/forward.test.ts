import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http2, {
  type ClientHttp2Session,
  constants,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../log.js';
import { GrpcClient } from './client.js';
import { forward, refuse } from './forward.js';
import { serveGrpc } from './server.js';

/** A caller, a place in between that passes its calls on, and a server that does what a test says. */
let directory: string;
let serve: (stream: ServerHttp2Stream, raw: readonly string[]) => void;
let caller: ClientHttp2Session;
let between: GrpcClient;
const closers: (() => void)[] = [];

async function listen(name: string, use: (socket: Socket) => void): Promise<void> {
  const server = createServer(use).listen(join(directory, name));
  await once(server, 'listening');
  closers.push(() => server.close());
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cleat-forward-'));
  await listen('server', (socket) => {
    void serveGrpc(socket, new Map(), silentLogger, async (stream, { rawHeaders }) => serve(stream, rawHeaders));
  });
  between = new GrpcClient(connect(join(directory, 'server')), silentLogger, 'the server');
  await listen('between', (socket) => {
    void serveGrpc(socket, new Map(), silentLogger, (stream, { rawHeaders }) => forward(stream, rawHeaders, between));
  });
  caller = http2.connect('http://x', { createConnection: () => connect(join(directory, 'between')) });
});
afterEach(async () => {
  caller.destroy();
  between.close();
  for (const close of closers.splice(0)) close();
  await rm(directory, { recursive: true });
});

interface Answer {
  readonly head: readonly string[];
  readonly trailers: readonly string[];
  readonly bytes: number;
  readonly reset: number | undefined;
}

const open = (headers: OutgoingHttpHeaders = {}) =>
  caller.request({
    ':method': 'POST',
    ':path': '/a/B',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });

function answerTo(stream: ReturnType<typeof open>): Promise<Answer> {
  return new Promise((resolve) => {
    let [head, trailers, bytes]: [string[], string[], number] = [[], [], 0];
    stream.on('response', (...[, , raw = []]: [unknown, number, string[]?]) => {
      head = raw;
    });
    stream.on('trailers', (...[, , raw = []]: [unknown, number, string[]?]) => {
      trailers = raw;
    });
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.on('error', () => {});
    stream.on('close', () => resolve({ head, trailers, bytes, reset: stream.rstCode }));
  });
}

test('metadata, messages and status come as they were sent, whatever is in them', async () => {
  let asked: readonly string[] = [];
  let got = 0;
  serve = async (stream, raw) => {
    asked = raw;
    for await (const chunk of stream as AsyncIterable<Buffer>) got += chunk.length;
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', own: ['1', '2, 3'] },
      { waitForTrailers: true },
    );
    stream.once('wantTrailers', () =>
      stream.sendTrailers({ 'grpc-status': '5', 'grpc-message': 'a%20b', 'x-bin': 'AAEC' }),
    );
    stream.end(Buffer.alloc(3_000_000));
  };
  const stream = open({ several: ['a, b', 'c'], 'grpc-timeout': '9S', constructor: 'x' });
  stream.end(Buffer.alloc(2_000_000));
  const { head, trailers, bytes } = await answerTo(stream);
  expect(got).toBe(2_000_000);
  expect(bytes).toBe(3_000_000);
  expect(asked.join('|')).toContain('several|a, b|several|c|grpc-timeout|9S|constructor|x');
  expect(asked.slice(0, 4)).toEqual([':method', 'POST', ':path', '/a/B']);
  expect(head.join('|')).toContain('own|1|own|2, 3');
  expect(trailers).toEqual(['grpc-status', '5', 'grpc-message', 'a%20b', 'x-bin', 'AAEC']);
});

test('an answer keeps its status where the end of the call comes with it, as through a tunnel', async () => {
  serve = (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': '0' });
      // As a server in Go does, where the request has not ended.
      setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
    });
    stream.write('x');
    setTimeout(() => stream.end(), 80);
  };
  const socket = connect(join(directory, 'server'));
  const lumps = new Duplex({
    read() {},
    write: (chunk: Buffer, _encoding, written) => void socket.write(chunk, () => written()),
  });
  let held: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    if (held.push(chunk) > 1) return;
    // A tunnel reads in promises, after which others come before `process.nextTick`.
    void pause(30).then(() => {
      lumps.push(Buffer.concat(held));
      held = [];
    });
  });
  between.close();
  between = new GrpcClient(lumps, silentLogger);
  await between.ping(10_000);
  for (let round = 0; round < 3; round++) {
    const stream = open();
    stream.write('a request that goes on');
    const { trailers, bytes } = await answerTo(stream.once('trailers', () => stream.close()));
    expect({ trailers, bytes }).toEqual({ trailers: ['grpc-status', '0'], bytes: 1 });
  }
  socket.destroy();
});

test('an answer that is only a status, before the request has ended, is passed on at once', async () => {
  serve = (stream) => refuse(stream, new Error('not now'));
  const stream = open();
  stream.write('something');
  const { head, reset } = await answerTo(stream.once('response', () => stream.close()));
  expect(head.join('|')).toContain('grpc-status|2|grpc-message|not now');
  expect(reset).toBe(0);
});

test('a side that cancels is heard, with its reason', async () => {
  let cancelled: number | undefined;
  serve = (stream) => {
    stream.once('close', () => {
      cancelled = stream.rstCode;
    });
    stream.respond({ ':status': 200 });
    stream.write('x');
  };
  const stream = open();
  const ended = answerTo(stream);
  await once(stream, 'response');
  stream.close(constants.NGHTTP2_CANCEL);
  await ended;
  await expect.poll(() => cancelled).toBe(constants.NGHTTP2_CANCEL);
  serve = (other) => other.close(constants.NGHTTP2_REFUSED_STREAM);
  expect((await answerTo(open())).reset).toBe(constants.NGHTTP2_REFUSED_STREAM);
});

test.each<[string, (stream: ServerHttp2Stream) => void]>([
  ['ends without a status', (stream) => stream.respond({ ':status': 200 }, { endStream: false }) ?? stream.end('x')],
  ['goes in the middle', (stream) => stream.session?.destroy()],
  [
    'goes after it began',
    (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write('x');
      setTimeout(() => stream.session?.destroy(), 20);
    },
  ],
])('a server that %s leaves a call with a status', async (_how, act) => {
  serve = act;
  const { head, trailers } = await answerTo(open().end());
  expect([...head, ...trailers].join('|')).toContain('grpc-status|14');
  // And the next one, too.
  if (between.isClosed)
    expect((await answerTo(open().end())).head.join('|')).toContain('grpc-message|the server has gone');
});

test('a caller that does not read makes the server wait', async () => {
  let sent = 0;
  const pieces = function* (): Generator<Buffer> {
    for (; sent < 400; sent++) yield Buffer.alloc(64 * 1024);
  };
  serve = (stream) => {
    stream.respond({ ':status': 200 });
    Readable.from(pieces())
      .on('error', () => {})
      .pipe(stream);
  };
  const stream = open().end();
  await once(stream, 'response');
  const seen: number[] = [];
  const isStill = (): boolean => seen.push(sent) > 3 && seen.slice(-3).every((one) => one === sent);
  await expect.poll(isStill, { interval: 50 }).toBe(true);
  expect(sent).toBeLessThan(200);
  stream.close();
});
