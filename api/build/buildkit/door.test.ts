import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { BuildContext, BuildOrder, Builds } from '@cleat/engine/build/service';
import type { TreeSync } from '@cleat/engine/build/sync/service';
import * as control from '@cleat/protocol/buildkit/control';
import * as gateway from '@cleat/protocol/buildkit/gateway';
import { packet, packetType, secretRequest, secretResponse } from '@cleat/protocol/buildkit/session';
import { systemError } from '@cleat/protocol/errors';
import { GrpcClient } from '@cleat/protocol/grpc/client';
import { bytesMessage, nothing } from '@cleat/protocol/grpc/common';
import { type Methods, serveGrpc, streaming, unary } from '@cleat/protocol/grpc/server';
import { code, StatusError } from '@cleat/protocol/grpc/status';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startApi, type TestApi, talk } from '../../testing/fakes.js';
import { upgraded } from './connection.fixture.js';

/** A client as buildx is one, made of the other ends of our own pieces; `test/e2e/buildx.test.ts` has the real one. */
let api: TestApi;
let directory: string;
let orders: BuildOrder[];
let fail: Error | undefined;
/** Archives that were made for exporters. */
let archives: Readable[];
const archive = async (text: string): Promise<Readable> => {
  const made = Readable.from([Buffer.from(text)], { objectMode: false });
  archives.push(made);
  return made;
};
const image = `sha256:${'1'.repeat(64)}`;

const context = (): BuildContext => ({
  directory,
  async file(path) {
    return join(directory, path);
  },
  read: async () => '',
  async beside(name, content) {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  },
  async hideIgnored() {},
  async [Symbol.asyncDispose]() {},
});

const trees: TreeSync = {
  forget() {},
  async update(_directory, source) {
    for await (const _ of source.entries());
    await source.finish();
  },
  async *filesOf() {
    const stat = { uid: 0, gid: 0, modTime: 0n, linkname: '', xattrs: new Map() };
    yield { entry: { ...stat, path: 'd', mode: 2 ** 31 + 0o755, size: 0 }, content: undefined };
    yield { entry: { ...stat, path: 'd/f', mode: 0o644, size: 2 }, content: Readable.from([Buffer.from('hi')]) };
  },
};

const builds: Partial<Builds> = {
  trees,
  buildkit: async () => undefined,
  contextDirectory: async () => context(),
  contextFromDockerfile: async () => context(),
  async contextFromTar(content) {
    writeFileSync(join(directory, 'Dockerfile'), await text(content));
    return context();
  },
  rootfs: () => archive('a tar'),
  save: () => archive('an archive'),
  usage: async () => [
    { ID: 'one', Type: 'regular', Size: 5, CreatedAt: '2026-01-02T03:04:05.5Z' },
    { ID: 'two', Type: 'source.local', Size: 6, InUse: true },
  ],
  prune: async () => ({ CachesDeleted: ['one'], SpaceReclaimed: 5 }),
  async build(order, sink) {
    orders.push(order);
    await sink({
      Vertex: { ID: 'v', Name: 'RUN x', Step: 2, Steps: 3, Stage: 'base', Started: '2026-01-02T03:04:05Z' },
    });
    await sink({ Log: { Vertex: 'v', Stream: 2, Data: Buffer.from('said').toString('base64') } });
    if (fail) throw fail;
    return { image, tags: [], caches: [{ mediaType: 'm', digest: 'd', size: 1 }] };
  },
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-door-'));
  orders = [];
  archives = [];
  fail = undefined;
  api = await startApi({ builds });
});
const clients: GrpcClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await api[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const upgrade = (path: string, headers?: Record<string, string>) => upgraded(api.socketPath, path, headers);

async function grpc(): Promise<GrpcClient> {
  const { socket, head } = await upgrade('/grpc');
  expect(head).toMatch(/^HTTP\/1\.1 101 UPGRADED\r\n[\s\S]*Upgrade: h2c\r\n/);
  return kept(new GrpcClient(socket, silentLogger));
}

function kept(client: GrpcClient): GrpcClient {
  clients.push(client);
  return client;
}

const dockerfile = 'FROM busybox\nRUN --mount=type=secret,id=s false\n';

/** Which files the client was asked for, by the name of the directory. */
let asked: Record<string, readonly string[]>;
let received: string[];

const session: Methods = new Map([
  [
    '/moby.filesync.v1.FileSync/DiffCopy',
    streaming(packet, packet, async function* (packets, { headers }) {
      asked[String(headers['dir-name'])] = [headers['exclude-patterns'] ?? []].flat();
      const texts: Record<string, string> =
        headers['dir-name'] === 'dockerfile' ? { Dockerfile: dockerfile } : { '.dockerignore': 'skip\n' };
      for (const [path, text] of Object.entries(texts)) yield { stat: { path, mode: 0o644, size: text.length } };
      yield { type: packetType.stat };
      for await (const { type, ID } of packets) {
        if (type === packetType.finish) break;
        yield { type: packetType.data, ID, data: Buffer.from(Object.values(texts)[ID] ?? '') };
        yield { type: packetType.data, ID };
      }
      yield { type: packetType.finish };
    }),
  ],
  [
    '/moby.buildkit.secrets.v1.Secrets/GetSecret',
    unary(secretRequest, secretResponse, ({ ID }) => {
      if (ID !== 's') throw new StatusError(code.notFound, 'not found');
      return { data: Buffer.from('secret') };
    }),
  ],
]);

const fileSend = '/moby.filesync.v1.FileSend/DiffCopy';
const bytesOut: Methods = new Map([
  ...session,
  [
    fileSend,
    streaming(bytesMessage, bytesMessage, async function* (pieces) {
      for await (const { data } of pieces) received.push(Buffer.from(data).toString());
      yield* [];
    }),
  ],
]);
const treeOut: Methods = new Map([
  ...session,
  [
    fileSend,
    streaming(packet, packet, async function* (packets) {
      let number = 0;
      for await (const { type, stat, data } of packets) {
        if (type === packetType.data) received.push(Buffer.from(data).toString());
        else if (type === packetType.finish) return;
        else if (!stat) yield { type: packetType.finish };
        else {
          received.push(stat.path ?? '');
          if ((stat.mode ?? 0) < 2 ** 31) yield { type: packetType.request, ID: number };
          number++;
        }
      }
    }),
  ],
]);

async function openSession(methods: Methods = session): Promise<void> {
  asked = {};
  received = [];
  const { socket, head } = await upgrade('/session', {
    'X-Docker-Expose-Session-Uuid': 'the-session',
    'X-Docker-Expose-Session-Sharedkey': 'key',
    'X-Docker-Expose-Session-Grpc-Method': [...methods.keys()].join(', '),
  });
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  void serveGrpc(socket, methods, silentLogger);
}

const path = (name: string) => `/moby.buildkit.v1.Control/${name}`;
const solveTypes: [typeof control.solveRequest, typeof control.solveResponse] = [
  control.solveRequest,
  control.solveResponse,
];

function solve(client: GrpcClient, more: Parameters<typeof control.solveRequest.encode>[0] = {}) {
  const request = { Ref: 'ref', Session: 'the-session', Frontend: 'dockerfile.v0', ...more };
  return client.call(path('Solve'), solveTypes, request);
}

async function progress(client: GrpcClient) {
  const stream = client.stream(path('Status'), [control.statusRequest, control.statusResponse]);
  await stream.send({ Ref: 'ref' });
  stream.end();
  const vertices = new Map<string, string>();
  let logs = '';
  for await (const { vertexes, logs: more } of stream.messages) {
    for (const { digest = '', name = '' } of vertexes) vertices.set(digest, name);
    for (const { msg } of more) logs += Buffer.from(msg ?? []).toString();
  }
  return { names: [...vertices.values()], logs };
}

const moby = [{ Type: 'moby', Attrs: new Map([['name', 'app:1,b']]) }];

test('a Dockerfile is built with the client’s files and secrets', async () => {
  const client = await grpc();
  await openSession();
  const watching = progress(client);
  const { ExporterResponse } = await solve(client, { Exporters: moby, FrontendAttrs: new Map([['target', 'base']]) });
  expect(ExporterResponse.get('containerimage.digest')).toBe(image);
  expect(ExporterResponse.get('image.name')).toBe('app:1,b');
  expect(orders).toMatchObject([{ Target: 'base', tags: ['app:1', 'b'], Secrets: [{ ID: 's' }], Context: directory }]);
  expect(asked.context).toEqual(['skip']);
  const { names, logs } = await watching;
  expect(logs).toBe('said');
  expect(names).toEqual([
    '[internal] load build definition from Dockerfile',
    '[internal] load .dockerignore',
    '[internal] load build context',
    '[2/3] RUN x',
    'exporting to image',
  ]);
  // And once more, for who comes late.
  expect((await progress(client)).names).toEqual(names);
});

test('a client drives a build by itself', async () => {
  const client = await grpc();
  await openSession();
  const headers = { 'buildkit-controlapi-buildid': 'ref' };
  const bridge = '/moby.buildkit.v1.frontend.LLBBridge/';
  const solving = solve(client, { Frontend: '', Exporters: moby });
  const { FrontendAPICaps, Workers } = await client.call(`${bridge}Ping`, [nothing, gateway.pong], {}, { headers });
  expect(FrontendAPICaps).toContainEqual({ ID: 'return', Enabled: true });
  expect(Workers).toMatchObject([{ platforms: [{ OS: 'linux' }] }]);
  const request = { Frontend: 'dockerfile.v0' };
  const { result } = await client.call(`${bridge}Solve`, [gateway.solveRequest, gateway.solveResponse], request, {
    headers,
  });
  await client.call(`${bridge}Evaluate`, [gateway.refRequest, nothing], { Ref: result?.ref?.id }, { headers });
  const other = client.call(`${bridge}Evaluate`, [gateway.refRequest, nothing], { Ref: 'other' }, { headers });
  await expect(other).rejects.toMatchObject({ class: 'NotFound' });
  await client.call(`${bridge}Return`, [gateway.returnRequest, nothing], { result: { ref: result?.ref } }, { headers });
  expect((await solving).ExporterResponse.get('containerimage.digest')).toBe(image);
});

test('a client gives up', async () => {
  const client = await grpc();
  const solving = solve(client, { Frontend: '' });
  const headers = { 'buildkit-controlapi-buildid': 'ref' };
  const error = { code: 3, message: 'no' };
  const returning = client.call(
    '/moby.buildkit.v1.frontend.LLBBridge/Return',
    [gateway.returnRequest, nothing],
    { error },
    { headers },
  );
  await expect(solving).rejects.toMatchObject({ code: 3, message: 'no' });
  await returning;
});

test('a build that fails says where', async () => {
  const client = await grpc();
  await openSession();
  fail = systemError("The command '/bin/sh -c false' returned a non-zero code: 7", { details: { code: 7, line: 2 } });
  await expect(solve(client)).rejects.toMatchObject({
    message: 'process "/bin/sh -c false" did not complete successfully: exit code: 7',
  });
});

test.each(['docker', 'oci', 'tar'])('the exporter %s sends a file', async (Type) => {
  const client = await grpc();
  await openSession(bytesOut);
  await solve(client, { Exporters: [{ Type }] });
  expect(received.join('')).toBe(Type === 'tar' ? 'a tar' : 'an archive');
});

test('the exporter local sends files, each when it is asked for', async () => {
  const client = await grpc();
  await openSession(treeOut);
  await solve(client, { Exporters: [{ Type: 'local' }] });
  expect(received.filter(Boolean)).toEqual(['d', 'd/f', 'hi']);
});

test('an exporter without a place at the client is refused', async () => {
  const client = await grpc();
  await openSession();
  for (const Type of ['tar', 'local', 'oci']) {
    await expect(solve(client, { Ref: Type, Exporters: [{ Type }] })).rejects.toThrow(/no place for the result/);
  }
  expect(archives).toEqual([]);
});

test.each(['local', 'tar', 'oci'])(
  'the archive of the exporter %s is closed when its client refuses it',
  async (Type) => {
    const client = await grpc();
    const refusing = streaming(bytesMessage, bytesMessage, async function* () {
      yield* [];
      throw new StatusError(code.unknown, 'the disk is full');
    });
    await openSession(new Map([...session, [fileSend, refusing]]));
    await expect(solve(client, { Exporters: [{ Type }] })).rejects.toThrow(/the disk is full/);
    expect(archives.map(({ destroyed }) => destroyed)).toEqual([true]);
  },
);

test('without a session a build has the context that comes with it', async () => {
  const build = (query: string) =>
    talk(
      api.connect(),
      `POST /build?version=2${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 12\r\n\r\nFROM busybox`,
    );
  const answer = await build('&t=app');
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toContain(`{"id":"moby.image.id","aux":{"ID":"${image}"}}`);
  expect(orders).toMatchObject([{ tags: ['app'], Context: directory }]);
  // Neither files nor credentials are anybody's.
  expect(await build('&remote=client-session')).toMatch(/no local sources enabled/);
});

test.each([
  [{ Frontend: 'other.v0' }, /front end other.v0 is not served/],
  [{ Frontend: 'gateway.v0', FrontendAttrs: new Map([['source', 'evil/frontend']]) }, /evil\/frontend is not run/],
  [{ Frontend: '', Definition: { def: [new Uint8Array(3)] } }, /LLB/],
  [{ SourcePolicySession: 'x' }, /source policies/],
  [{ EnableSessionExporter: true }, /exporters of the session/],
])('%j is refused with advice', async (request, message) => {
  const client = await grpc();
  await openSession();
  await expect(solve(client, request)).rejects.toMatchObject({
    code: code.unknown,
    message: expect.stringMatching(message),
  });
});

test('the cache is listed and pruned', async () => {
  const client = await grpc();
  const list = (filter: string[]) =>
    client.call(path('DiskUsage'), [control.diskUsageRequest, control.diskUsageResponse], { filter });
  expect((await list([])).record).toMatchObject([
    { ID: 'one', Size: 5, CreatedAt: { seconds: 1_767_323_045, nanos: 500_000_000 } },
    { ID: 'two', InUse: true, Mutable: true },
  ]);
  expect((await list(['type==regular'])).record).toMatchObject([{ ID: 'one' }]);
  expect((await list(['inuse', 'id=one'])).record).toHaveLength(2);
  await expect(list(['color=red'])).rejects.toMatchObject({ class: 'InvalidParameter' });
  const pruning = client.stream(path('Prune'), [control.pruneRequest, control.usageRecord]);
  await pruning.send({ all: true });
  pruning.end();
  const pruned: unknown[] = [];
  for await (const record of pruning.messages) pruned.push(record);
  expect(pruned).toMatchObject([{ ID: 'one', Size: 5 }]);
});

test('a session of another’s name is refused', async () => {
  await openSession();
  const { head } = await upgrade('/session', { 'X-Docker-Expose-Session-Uuid': 'the-session' });
  expect(head).toMatch(/^HTTP\/1\.1 400 [\s\S]*open already/);
});
