import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { constants } from 'node:http2';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Builds } from '@cleat/engine/build/service';
import * as control from '@cleat/protocol/buildkit/control';
import { ScriptedBuildKit } from '@cleat/protocol/buildkit/scripted.fixture';
import { packet, packetType, secretRequest, secretResponse } from '@cleat/protocol/buildkit/session';
import { GrpcClient } from '@cleat/protocol/grpc/client';
import { bytesMessage, nothing } from '@cleat/protocol/grpc/common';
import { message, string } from '@cleat/protocol/grpc/message';
import { type Methods, serveGrpc, streaming, unary } from '@cleat/protocol/grpc/server';
import { code, StatusError } from '@cleat/protocol/grpc/status';
import { tunnelOf } from '@cleat/protocol/grpc/tunnel';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startApi, type TestApi } from '../../../testing/fakes.js';
import { upgraded } from '../connection.fixture.js';
import { Upstream } from './upstream.js';

/** A client of BuildKit's at the engine's door, with a BuildKit of ours behind it. */
let api: TestApi;
let directory: string;
let buildkit: ScriptedBuildKit;
let kept: { archive: string; names: readonly string[] }[];
let full: Error | undefined;
const clients: GrpcClient[] = [];
const words = message({ words: string(1) });
let waiting: AbortSignal | undefined;

/** Methods that nobody here knows of. */
const later: Methods = new Map([
  ['/later.Later/Echo', unary(words, words, (request) => request)],
  [
    '/later.Later/Wait',
    unary(words, words, async (_request, { signal }) => {
      waiting = signal;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      throw signal.reason;
    }),
  ],
  ['/later.Later/Reset', { serve: async (stream) => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM) }],
]);

const builds: Partial<Builds> = {
  buildkit: async () => join(directory, 'buildkit'),
  async keep(archive, names) {
    if (full) throw full;
    kept.push({ archive: await text(archive), names });
  },
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-relay-'));
  kept = [];
  full = undefined;
  waiting = undefined;
  buildkit = await ScriptedBuildKit.listen(join(directory, 'buildkit'), later);
  api = await startApi({ builds });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await api[Symbol.asyncDispose]();
  await buildkit[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function grpc(): Promise<GrpcClient> {
  const { socket } = await upgraded(api.socketPath, '/grpc');
  const client = new GrpcClient(socket, silentLogger);
  clients.push(client);
  return client;
}

/** Text that the client's own output has got, after its number. */
let received: string;
/** Headers of the client's calls for files. */
let asked: Record<string, unknown>;
const session: Methods = new Map([
  [
    '/moby.filesync.v1.FileSync/DiffCopy',
    streaming(packet, packet, async function* (packets, { headers }) {
      asked = headers;
      yield { stat: { path: 'd', mode: 2 ** 31 + 0o755 } };
      yield { stat: { path: 'd/f', mode: 0o644, size: 100_000 } };
      yield { type: packetType.stat };
      for await (const { type, ID } of packets) {
        if (type === packetType.finish) break;
        yield { type: packetType.data, ID, data: Buffer.alloc(100_000, 'x') };
        yield { type: packetType.data, ID };
      }
      yield { type: packetType.finish };
    }),
  ],
  [
    '/moby.buildkit.secrets.v1.Secrets/GetSecret',
    unary(secretRequest, secretResponse, ({ ID }) => {
      throw new StatusError(code.notFound, `no ${ID}`, [{ typeUrl: 'x/y', value: Buffer.from('{"a":1}') }]);
    }),
  ],
  [
    '/moby.filesync.v1.FileSend/DiffCopy',
    streaming(bytesMessage, bytesMessage, async function* (pieces, { headers }) {
      received = `${String(headers['buildkit-attachable-exporter-id'])}:`;
      for await (const { data } of pieces) received += Buffer.from(data).toString();
      yield* [];
    }),
  ],
]);

async function openSession(id = 'theirs'): Promise<void> {
  const { socket } = await upgraded(api.socketPath, '/session', {
    'X-Docker-Expose-Session-Uuid': id,
    'X-Docker-Expose-Session-Sharedkey': 'key',
    'X-Docker-Expose-Session-Grpc-Method': [...session.keys()].join(', '),
  });
  void serveGrpc(socket, session, silentLogger);
}

const solve = (client: GrpcClient, request: Parameters<typeof control.solveRequest.encode>[0], signal?: AbortSignal) =>
  client.call(
    '/moby.buildkit.v1.Control/Solve',
    [control.solveRequest, control.solveResponse],
    { Ref: 'ref', Session: 'theirs', ...request },
    { signal },
  );
const moby = { Type: 'moby', Attrs: new Map([['name', 'app:1']]) };
async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const one of texts) yield Buffer.from(one);
}
const failure = (work: Promise<unknown>): Promise<StatusError> =>
  work.then(
    () => expect.fail('it succeeded'),
    (error: StatusError) => error,
  );

test('a result for the engine goes there, with the names that were asked for; others go to the client', async () => {
  const client = await grpc();
  await openSession();
  let files: Record<string, string> = {};
  buildkit.script = async (request) => {
    files = await buildkit.files(request, 'context', { 'exclude-patterns': ['a, b', 'c'], followpaths: 'd' });
    await buildkit.send(request, 0, pieces('for the ', 'engine'));
    await buildkit.send(request, 1, pieces('for the client'));
    return new Map([['containerimage.digest', 'sha256:1']]);
  };
  const { ExporterResponse } = await solve(client, { Exporters: [moby, { Type: 'tar' }] });
  expect([...ExporterResponse]).toEqual([['containerimage.digest', 'sha256:1']]);
  expect(kept).toEqual([{ archive: 'for the engine', names: ['app:1'] }]);
  expect(received).toBe('1:for the client');
  expect(Object.keys(files)).toEqual(['d/', 'd/f']);
  expect(files['d/f']).toHaveLength(100_000);
  // Values that came apart, with commas in them.
  expect(asked['exclude-patterns']).toBe('a, b, c');
  expect(buildkit.solves).toMatchObject([{ Ref: 'ref', Exporters: [{ Type: 'oci' }, { Type: 'tar' }] }]);
  await expect.poll(() => [...buildkit.sessions.keys()]).toEqual(['theirs']);
});

test('a session may come by a call, and is the client’s alone where nothing is for the engine', async () => {
  const client = await grpc();
  const call = client.stream('/moby.buildkit.v1.Control/Session', [bytesMessage, bytesMessage], {
    headers: { 'x-docker-expose-session-uuid': 'called', 'x-docker-expose-session-grpc-method': ['/a/B', '/c/D'] },
  });
  const serving = (connection: Duplex) => serveGrpc(connection, session, silentLogger);
  const served = (async () => {
    for await (const piece of tunnelOf(call.messages, serving, silentLogger)) await call.send(piece);
  })();
  const open = await buildkit.session('called');
  expect(open.methods).toEqual(['/a/b', '/c/d']);
  const files: string[] = [];
  buildkit.script = async (request) => {
    files.push(...Object.keys(await buildkit.files(request, 'context')));
    return new Map([['session', request.Session]]);
  };
  const { ExporterResponse } = await solve(client, { Session: 'called', Exporters: [{ Type: 'oci' }] });
  expect(ExporterResponse.get('session')).toBe('called');
  expect(files).toEqual(['d/', 'd/f']);
  call.cancel();
  await served;
  await expect.poll(() => buildkit.sessions.size).toBe(0);
});

test.each<[string, () => Promise<void>, RegExp]>([
  ['sends nothing', async () => {}, /it has sent no image/],
  [
    'sends what the engine does not take',
    async () => {
      full = new Error('no space left');
      await buildkit.send(buildkit.solves[0] ?? expect.fail(), 0, pieces('x'));
    },
    /no space left/,
  ],
  [
    'sends it twice',
    async () => {
      const [request = expect.fail()] = buildkit.solves;
      await buildkit.send(request, 0, pieces('x'));
      // The second one is the client's, which is there for what is its own.
      await buildkit.send(request, 0, pieces('y'));
      throw new StatusError(code.unknown, `kept ${kept.map(({ archive }) => archive)}, client ${received}`);
    },
    /kept x, client 0:y/,
  ],
  [
    'cuts it off',
    async () => {
      const { client } = await buildkit.session(buildkit.solves[0]?.Session ?? '');
      const call = client.stream('/moby.filesync.v1.FileSend/DiffCopy', [bytesMessage, bytesMessage]);
      await call.send({ data: Buffer.from('half') });
      call.cancel();
    },
    /it has sent no image/,
  ],
])('a BuildKit that %s fails the build', async (_how, act, reason) => {
  const client = await grpc();
  await openSession();
  buildkit.script = async () => {
    await act();
    return new Map();
  };
  const error = await failure(solve(client, { Exporters: [moby] }));
  expect(error.message).toMatch(reason);
  expect(kept.filter(({ archive }) => archive === 'half')).toEqual([]);
});

test('an image that is pushed, too, needs a BuildKit that knows several exporters', async () => {
  const client = await grpc();
  await openSession();
  const pushed = { Type: 'moby', Attrs: new Map([...moby.Attrs, ['push', 'true']]) };
  buildkit.version = 'v0.12.5';
  expect(await failure(solve(client, { Exporters: [pushed] }))).toMatchObject({
    message:
      'BuildKit v0.12.5 cannot both push an image and leave it with the engine: build it first, then docker push it',
  });
  buildkit.script = async (request) => {
    await buildkit.send(request, 0, pieces('it'));
    return new Map();
  };
  for (const version of ['v0.13.0', 'v1.0.0', 'v0.0.0+unknown', 'custom']) {
    buildkit.version = version;
    await solve(client, { Exporters: [pushed] });
  }
  expect(buildkit.solves.at(-1)?.Exporters.map(({ Type }) => Type)).toEqual(['oci', 'image']);
});

test('calls that nobody here knows go through, both ways', async () => {
  const client = await grpc();
  const long = 'x'.repeat(5_000_000);
  expect(await client.call('/later.Later/Echo', [words, words], { words: long })).toEqual({ words: long });
  expect(await failure(client.call('/later.Later/None', [words, words], {}))).toMatchObject({
    code: code.unimplemented,
  });
  await openSession();
  const { client: caller } = await buildkit.session('theirs');
  const secret = '/moby.buildkit.secrets.v1.Secrets/GetSecret';
  const error = await failure(caller.call(secret, [secretRequest, secretResponse], { ID: 's' }));
  expect(error).toMatchObject({ code: code.notFound, message: 'no s', typed: [{ typeUrl: 'x/y' }] });
});

test('each side hears when the other one cancels, or goes', async () => {
  const client = await grpc();
  const stop = new AbortController();
  const stopped = failure(client.call('/later.Later/Wait', [words, words], {}, { signal: stop.signal }));
  await expect.poll(() => waiting).toBeDefined();
  stop.abort();
  await stopped;
  await expect.poll(() => waiting?.aborted).toBe(true);
  await failure(client.call('/later.Later/Reset', [words, words], {}));
  const lost = failure(client.call('/later.Later/Wait', [words, words], {}));
  await expect.poll(() => waiting?.aborted).toBe(false);
  buildkit.cut();
  expect(await lost).toMatchObject({
    code: code.unavailable,
    message: `the BuildKit at ${directory}/buildkit has gone`,
  });
  // Its next call finds the connection anew.
  expect(await client.call('/later.Later/Echo', [words, words], { words: 'again' })).toEqual({ words: 'again' });
  const other = await grpc();
  void failure(other.call('/later.Later/Wait', [words, words], {}));
  await expect.poll(() => waiting?.aborted).toBe(false);
  other.close();
  await expect.poll(() => waiting?.aborted).toBe(true);
});

test('a BuildKit that is away, or speaks otherwise, costs an error', async () => {
  await buildkit[Symbol.asyncDispose]();
  const client = await grpc();
  const call = () => failure(client.call('/moby.buildkit.v1.Control/ListWorkers', [nothing, nothing], {}));
  expect(await call()).toMatchObject({
    code: code.unavailable,
    message: expect.stringMatching(/cannot be reached: connect ENOENT/),
  });
  await using strange = await serverOf((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  expect(await call()).toMatchObject({ code: code.unavailable });
  await strange[Symbol.asyncDispose]();
  await using _silent = await serverOf(() => {});
  const upstream = new Upstream(join(directory, 'buildkit'), silentLogger, 50);
  expect((await failure(upstream.client())).message).toMatch(/did not answer within 50 ms/);
});

async function serverOf(use: (socket: import('node:net').Socket) => void): Promise<AsyncDisposable> {
  const open = new Set<import('node:net').Socket>();
  const server = createServer((socket) => {
    open.add(socket.on('error', () => {}));
    use(socket);
  }).listen(join(directory, 'buildkit'));
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
