import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { ApiRequest } from '@cleat/engine/authorization/service';
import { HookBench } from '@cleat/engine/hooks/hooks.fixture';
import type { ContainerCreateRequest } from '@cleat/protocol/api/container';
import type { NewAuditRecord } from '@cleat/protocol/audit';
import { forbidden, notFound } from '@cleat/protocol/errors';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { echoSession, startApi, type TestApi, talk } from '../testing/fakes.js';

interface Message {
  PowerstripProtocolVersion: number;
  Type: string;
  ClientRequest: { Method: string; Request: string; Body: string | null };
  ServerResponse?: { ContentType: string | null; Body: string | null; Code: number };
}

/** An adapter as people write it: a message comes in, an object goes out. */
type Adapter = (message: Message, response: ServerResponse) => object | undefined;

let bench: HookBench;
let api: TestApi;
let server: Server;
let adapters: Record<string, Adapter>;
let asked: { adapter: string; message: Message }[];
let created: { request: ContainerCreateRequest; name: string | undefined }[];
let judged: ApiRequest[];
let denies: boolean;
let stopped: string[];
let loaded: Buffer[];
let noted: NewAuditRecord[];

beforeEach(async () => {
  bench = new HookBench();
  [adapters, asked, created, judged, denies, stopped, loaded, noted] = [{}, [], [], [], false, [], [], []];
  server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      expect(request.headers).toMatchObject({ 'content-type': 'application/json' });
      const message = JSON.parse(Buffer.concat(chunks).toString()) as Message;
      const adapter = request.url?.slice(1) ?? '';
      asked.push({ adapter, message });
      const answer = adapters[adapter]?.(message, response);
      if (answer) response.end(JSON.stringify({ PowerstripProtocolVersion: 1, ...answer }));
      else if (!response.writableEnded) response.end('nonsense');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api = await startApi({
    hooks: bench.hooks,
    audit: {
      enabled: true,
      note: (record) => noted.push(record),
      async *read() {},
      container: (ref) => ({ ID: `ID of ${ref}`, Name: ref }),
      containerOfExec: () => undefined,
      lost: 0,
    },
    authorization: {
      required: true,
      async authorize(request) {
        judged.push(request);
        if (denies) throw forbidden('authorization denied by plugin p: no');
        return async () => {};
      },
    },
    containers: {
      async create(request: ContainerCreateRequest, { name }: { name?: string }) {
        created.push({ request, name });
        return { Id: 'abc', Warnings: [] };
      },
      async inspect(name: string) {
        throw notFound(`No such container: ${name}`);
      },
      stop: async (name: string) => void stopped.push(name),
      attach: async () => echoSession(true),
      export: async () => Readable.from([Buffer.from([0, 255, 1])]),
    } as never,
    images: {
      async *load(archive: Readable) {
        for await (const chunk of archive) loaded.push(chunk as Buffer);
        yield { stream: 'loaded' };
      },
      async *pull() {
        yield { status: 'one' };
        yield { status: 'two' };
      },
    } as never,
  });
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** An adapters.yml with these endpoints, as it is. */
function file(endpoints: string): void {
  const { port } = server.address() as AddressInfo;
  const names = ['one', 'two', 'three'].map((name) => `  ${name}: http://127.0.0.1:${port}/${name}`);
  bench.file(`version: 1\nendpoints:\n${endpoints}\nadapters:\n${names.join('\n')}\n`);
}

const pre = (change: (request: Message['ClientRequest']) => Partial<Message['ClientRequest']>): Adapter => {
  return ({ ClientRequest }) => ({ ModifiedClientRequest: { ...ClientRequest, ...change(ClientRequest) } });
};
const post = (change: (answer: NonNullable<Message['ServerResponse']>) => object): Adapter => {
  return ({ ServerResponse }) => ({
    ModifiedServerResponse: ServerResponse && { ...ServerResponse, ...change(ServerResponse) },
  });
};
const edit = (body: string | null, change: object) => JSON.stringify({ ...JSON.parse(body ?? '{}'), ...change });

function ask(method: string, path: string, body?: unknown, type = 'application/json') {
  return new Promise<{ status: number; type: string | undefined; body: string }>((resolve, reject) => {
    const bytes = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const headers = bytes === undefined ? {} : { 'Content-Type': type, 'Content-Length': bytes.length };
    const request = httpRequest({ socketPath: api.socketPath, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, type: headers['content-type'], body: Buffer.concat(chunks).toString('latin1') });
      });
    });
    request.on('error', reject).end(bytes);
  });
}

const create = () => ask('POST', '/v1.41/containers/create?name=web', { Image: 'busybox' });

test('two chained pre-hooks: each gets what the one before made, and that is judged and done', async () => {
  file('  "POST /*/containers/create": {pre: [one, two]}');
  adapters.one = pre(({ Body, Request }) => ({
    Body: edit(Body, { Env: ['ONE=1'] }),
    Request: Request.replace('name=web', 'name=other'),
  }));
  adapters.two = pre(({ Body }) => ({ Body: edit(Body, { Labels: { seen: 'two' } }) }));
  expect((await create()).status).toBe(201);
  expect(
    asked.map(({ adapter, message: { ClientRequest, ...rest } }) => ({ adapter, ...rest, ...ClientRequest })),
  ).toEqual([
    {
      adapter: 'one',
      PowerstripProtocolVersion: 1,
      Type: 'pre-hook',
      Method: 'POST',
      Request: '/v1.41/containers/create?name=web',
      Body: '{"Image":"busybox"}',
    },
    {
      adapter: 'two',
      PowerstripProtocolVersion: 1,
      Type: 'pre-hook',
      Method: 'POST',
      Request: '/v1.41/containers/create?name=other',
      Body: '{"Image":"busybox","Env":["ONE=1"]}',
    },
  ]);
  expect(created).toMatchObject([
    { name: 'other', request: { Image: 'busybox', Env: ['ONE=1'], Labels: { seen: 'two' } } },
  ]);
  expect(judged).toMatchObject([
    { uri: '/v1.41/containers/create?name=other', body: expect.stringContaining('"Labels":{"seen":"two"}') },
  ]);
});

test('a post-hook turns a 404 into a 200; Code, ContentType and Body are honoured, in the order of the list', async () => {
  file('  "GET /*/containers/*/json": {post: [one, two]}');
  adapters.one = post(({ Body }) => ({ Code: 200, ContentType: 'text/plain', Body: `was ${Body}` }));
  adapters.two = post(({ Body, Code }) => ({ Body: `${Code} ${Body}` }));
  const { status, type, body } = await ask('GET', '/v1.41/containers/gone/json');
  const message = '{"message":"No such container: gone"}\n';
  expect({ status, type, body }).toEqual({ status: 200, type: 'text/plain', body: `200 was ${message}` });
  expect(asked[0]?.message).toEqual({
    PowerstripProtocolVersion: 1,
    Type: 'post-hook',
    ClientRequest: { Method: 'GET', Request: '/v1.41/containers/gone/json', Body: null },
    ServerResponse: { ContentType: 'application/json', Body: message, Code: 404 },
  });
});

test('the error of a pre-hook ends the chain, goes to the client as it is, and the engine does nothing', async () => {
  file('  "POST /*/containers/create": {pre: [one, two], post: [three]}');
  adapters.one = (_, response) => void response.writeHead(403, { 'Content-Type': 'text/x-no' }).end('no, never');
  expect(await create()).toEqual({ status: 403, type: 'text/x-no', body: 'no, never' });
  expect(asked.map(({ adapter }) => adapter)).toEqual(['one']);
  expect([created, judged]).toEqual([[], []]);
});

test('the error of a post-hook ends the chain, and the client gets it; what was done is done', async () => {
  file('  "POST /*/containers/create": {post: [one, two]}');
  adapters.one = (_, response) => void response.writeHead(502).end('broken');
  expect(await create()).toMatchObject({ status: 502, body: 'broken' });
  expect(asked.map(({ adapter }) => adapter)).toEqual(['one']);
  expect(created).toHaveLength(1);
});

test('the audit journal has who refused or failed, what was changed, and what was done in the end', async () => {
  file(
    [
      '  "POST /*/containers/create": {pre: [one, two], post: [three]}',
      '  "POST /*/containers/*/kill": {pre: [three]}',
    ].join('\n'),
  );
  adapters.one = pre(({ Body }) => ({ Body: edit(Body, { Labels: { a: 'b' } }) }));
  adapters.two = (_, response) => void response.writeHead(403).end('no, never');
  await create();
  adapters.two = () => undefined;
  await create();
  adapters.two = pre(() => ({}));
  adapters.three = (_, response) => void response.writeHead(401).end();
  await create();
  adapters.three = pre(({ Request }) => ({ Request: Request.replace('web/kill', 'db/stop') }));
  await ask('POST', '/v1.41/containers/web/kill?signal=KILL');
  const changed = { Hook: 'adapter one', Path: 'Body' };
  expect(noted).toMatchObject([
    { Decision: 'denied', By: 'adapter two', Reason: '403 no, never', Status: 403 },
    { Decision: 'failed', By: 'adapter two', Reason: 'its answer is no JSON', Status: 500 },
    { Decision: 'denied', By: 'adapter three', Reason: '401', Executed: true, Changes: [changed] },
    {
      Decision: 'allowed',
      Asked: 'POST /v1.41/containers/web/kill?***',
      URI: '/v1.41/containers/db/stop?signal=KILL',
      Route: '/containers/{name}/stop',
      Container: { ID: 'ID of db' },
      Changes: [{ Hook: 'adapter three', Path: 'Request' }],
    },
  ]);
  expect(noted.map(({ Executed, Asked }) => [Executed, Asked !== undefined])).toEqual([
    [undefined, false],
    [undefined, false],
    [true, false],
    [undefined, true],
  ]);
});

test('traces tell of each adapter, also where hooks see the request, too', async () => {
  file(
    ['  "POST /*/containers/create": {pre: [one, two]}', '  "POST /*/containers/*/kill": {pre: [three]}'].join('\n'),
  );
  adapters.one = pre(({ Body }) => ({ Body: edit(Body, { Labels: { password: 's3cret' } }) }));
  adapters.two = (_, response) => void response.writeHead(403).end('no, never');
  adapters.three = pre(({ Request }) => ({ Request: Request.replace('web/kill', 'db/stop') }));
  await create();
  await ask('POST', '/v1.41/containers/web/kill?signal=KILL');
  const [refused, moved] = bench.hooks.traces({});
  expect(refused).toMatchObject({
    Route: '/containers/create',
    Decision: 'denied',
    By: 'adapter two',
    Status: 403,
  });
  expect(refused?.Steps).toMatchObject([
    { Hook: 'adapter one', Stage: 'request', Result: 'changed', Changes: [{ Path: 'Body' }] },
    { Hook: 'adapter two', Stage: 'request', Result: 'denied', Reason: '403 no, never', Changes: [] },
  ]);
  expect(moved).toMatchObject({ Route: '/containers/*/kill', Decision: 'passed', Status: 204 });
  const [from, to] = ['"/v1.41/containers/web/kill?…"', '"/v1.41/containers/db/stop?…"'];
  expect(moved?.Steps[0]?.Changes).toEqual([{ Path: 'Request', From: from, To: to }]);

  await bench.hook('h', { Capabilities: { Request: 'body' }, Request: {} });
  file('  "POST /*/containers/create": {pre: [one], post: [two]}');
  const powerstrip = bench.config.hooks?.powerstrip;
  bench.file('hooks: [{name: h}]');
  if (bench.config.hooks && powerstrip) bench.config.hooks = { ...bench.config.hooks, powerstrip };
  await create();
  const both = bench.hooks.traces({}).at(-1);
  expect(both).toMatchObject({ Decision: 'denied', By: 'adapter two' });
  expect(both?.Steps.map(({ Hook, Stage }) => `${Hook} ${Stage}`)).toEqual([
    'adapter one request',
    'h request',
    'adapter two response',
  ]);
  expect(JSON.stringify(bench.hooks.traces({}))).not.toContain('s3cret');
});

test('endpoints are globs, matched without the query, in the order of the file, however a path is spelt', async () => {
  file(
    [
      '  "* /v[12]*/containers/create": {pre: [one]}',
      '  "POST /v1.4?/*/create": {pre: [two, one]}',
      '  "POST /*/containers/create?name=*": {pre: [three]}',
      '  "DELETE /*/containers/create": {pre: [three]}',
    ].join('\n'),
  );
  adapters.one = adapters.two = pre(() => ({}));
  for (const path of [
    '/v1.41/containers/create?name=web',
    '/v1.41/%63ontainers/create',
    '//v1.41/containers/create/',
  ]) {
    asked.length = 0;
    expect((await ask('POST', path, { Image: 'busybox' })).status).toBe(201);
    expect(asked.map(({ adapter }) => adapter)).toEqual(['one', 'two', 'one']);
  }
  asked.length = 0;
  // Without a version it is the newest.
  expect((await ask('POST', '/containers/create', { Image: 'busybox' })).status).toBe(201);
  expect(asked.map(({ adapter }) => adapter)).toEqual(['one']);
});

test('a request that is made another one is served, judged and refused as that', async () => {
  file('  "POST /*/containers/*/kill": {pre: [one]}');
  adapters.one = pre(({ Request }) => ({ Request: Request.replace(/kill.*/, 'stop') }));
  expect((await ask('POST', '/v1.41/containers/web/kill?signal=KILL')).status).toBe(204);
  expect(stopped).toEqual(['web']);
  expect(judged).toMatchObject([{ method: 'POST', uri: '/v1.41/containers/web/stop' }]);
  denies = true;
  expect((await ask('POST', '/v1.41/containers/web/kill')).status).toBe(403);
  expect(stopped).toEqual(['web']);
  for (const Request of ['/v1.41/nowhere', '/v1.41/containers/web/attach', '/v1.41/build']) {
    adapters.one = pre(() => ({ Request }));
    expect(await ask('POST', '/v1.41/containers/web/kill')).toMatchObject({ status: 400 });
  }
  denies = false;
  adapters.one = pre(() => ({ Request: '/v1.999/containers/web/stop' }));
  expect(await ask('POST', '/v1.41/containers/web/kill')).toMatchObject({
    status: 400,
    body: expect.stringContaining('too new'),
  });
});

test('a request that the API does not have is for the adapters to answer', async () => {
  file('  "* /*/volumes/*/move": {pre: [one], post: [two]}');
  adapters.one = pre(() => ({}));
  adapters.two = post(({ Code }) => ({ Code: 200, Body: `moved (${Code})` }));
  expect(await ask('PATCH', '/v1.41/volumes/a/move')).toMatchObject({ status: 200, body: 'moved (404)' });
  expect(asked[0]?.message.ClientRequest).toMatchObject({ Method: 'PATCH', Request: '/v1.41/volumes/a/move' });
  expect((await ask('PATCH', '/v1.41/volumes/a')).status).toBe(404);
});

test('attach passes: its head to the adapters, its bytes to nobody', async () => {
  file('  "* /*": {pre: [one], post: [two]}');
  adapters.one = pre(() => ({}));
  const head = 'POST /v1.41/containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n';
  const text = await talk(api.connect(), `${head}hi`, { end: true });
  expect(text).toContain('application/vnd.docker.raw-stream');
  expect(text).toContain('hi');
  expect(asked.map(({ adapter, message }) => `${adapter} ${message.ClientRequest.Body}`)).toEqual(['one null']);
});

test('archives pass both ways, and are not buffered', async () => {
  file('  "* /*": {pre: [one], post: [two]}');
  adapters.one = pre(() => ({}));
  adapters.two = post(() => ({ Code: 203, Body: 'ignored' }));
  expect(await ask('GET', '/v1.41/containers/web/export')).toMatchObject({ status: 203, body: '\u0000\u00ff\u0001' });
  expect(asked.map(({ message }) => message.ServerResponse?.Body)).toEqual([undefined, null]);
  asked.length = 0;
  const archive = Buffer.from([0, 255, 2]);
  expect((await ask('POST', '/v1.41/images/load', archive, 'application/x-tar')).body).toBe('ignored');
  expect(Buffer.concat(loaded)).toEqual(archive);
  // Pre-hooks are skipped for what is no JSON.
  expect(asked.map(({ adapter, message }) => [adapter, message.ClientRequest.Body])).toEqual([['two', null]]);
});

test('a stream of texts reaches the post-hooks as a whole', async () => {
  file('  "POST /*/images/create": {post: [one]}');
  adapters.one = post(({ Body }) => ({ Body: `${Body}{"status":"three"}\n` }));
  const { status, body } = await ask('POST', '/v1.41/images/create?fromImage=busybox&tag=latest');
  expect({ status, body }).toEqual({ status: 200, body: '{"status":"one"}\n{"status":"two"}\n{"status":"three"}\n' });
});

test.each<[string, Adapter, RegExp]>([
  ['nonsense', () => undefined, /the adapter one failed: its answer is no JSON/],
  ['another version', () => ({ PowerstripProtocolVersion: 2 }), /speaks version 2; 1 is known here/],
  ['nothing', () => ({}), /its answer has no ModifiedClientRequest/],
  ['a body that is no text', () => ({ ModifiedClientRequest: { Body: {} } }), /Body is no text/],
  ['a redirect', (_, response) => void response.writeHead(302).end(), /it answered with status 302/],
  ['a broken connection', (_, response) => void response.destroy(), /the adapter one failed: it cannot be reached/],
])('an adapter that answers %s refuses the request', async (_what, adapter, why) => {
  file('  "POST /*/containers/create": {pre: [one]}');
  adapters.one = adapter;
  const { status, body } = await create();
  expect(status).toBeGreaterThanOrEqual(500);
  expect(body).toMatch(why);
  expect(created).toEqual([]);
});
