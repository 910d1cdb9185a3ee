import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { ApiAnswer, ApiRequest } from '@cleat/engine/authorization/service';
import { HookBench } from '@cleat/engine/hooks/hooks.fixture';
import type { ContainerCreateRequest } from '@cleat/protocol/api/container';
import { forbidden, notFound } from '@cleat/protocol/errors';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { echoSession, startApi, type TestApi, talk } from '../testing/fakes.js';

const loud = fileURLToPath(new URL('./loud.fixture.ts', import.meta.url));

/** On a busy machine, too. */
const until = (condition: () => boolean | Promise<boolean>) => vi.waitUntil(condition, { timeout: 60_000 });

let bench: HookBench;
let api: TestApi;
let created: ContainerCreateRequest[];
let names: string[];
let listed: unknown[];
let judged: ApiRequest[];
let judgedAnswers: ApiAnswer[];
let denies: (request: ApiRequest) => boolean;

beforeEach(async () => {
  bench = new HookBench();
  created = [];
  names = [];
  listed = [];
  judged = [];
  judgedAnswers = [];
  denies = () => false;
  api = await startApi({
    hooks: bench.hooks,
    authorization: {
      required: true,
      async authorize(request) {
        judged.push(request);
        if (denies(request)) throw forbidden('authorization denied by plugin p: no');
        return async (answer) => void judgedAnswers.push(answer);
      },
    },
    containers: {
      async create(request, { name }) {
        created.push(request);
        names.push(name ?? '');
        return { Id: 'abc', Warnings: [] };
      },
      async list(options) {
        listed.push(options);
        return [];
      },
      async inspect(name) {
        if (name !== 'web') throw notFound(`No such container: ${name}`);
        return { Id: 'abc', Name: '/web', Config: { Labels: { team: 'a' } } } as never;
      },
      attach: async () => echoSession(true),
      kill: async () => {},
    },
  });
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** Without `chunked` it is a plain request, which Node's parser does not see. */
function ask(method: string, path: string, body?: unknown, chunked = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(text !== undefined && { 'Content-Type': 'application/json' }),
      ...(text !== undefined && (chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': text.length })),
    };
    const request = httpRequest({ socketPath: api.socketPath, method, path, headers }, (response) => {
      let said = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
      });
      response.on('error', reject).on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: said.startsWith('{') || said.startsWith('[') ? JSON.parse(said) : said });
      });
    });
    request.on('error', reject).end(text);
  });
}

const create = (body: unknown = { Image: 'busybox' }, chunked = false) =>
  ask('POST', '/v1.41/containers/create?name=web', body, chunked);
const set = (Path: string, Value: unknown) => ({ Set: [{ Path, Value }] });

describe.each([
  ['a plain request', false],
  ['any other', true],
])('%s', (_what, chunked) => {
  test('the request that hooks make of it is judged, and done', async () => {
    await bench.hook('owner', {
      Request: {
        Set: [
          { Path: 'Body.Labels["com.cleat.owner"]', Value: 'alice' },
          { Path: 'Body.HostConfig.Memory', Value: 64 * 1024 * 1024 },
          { Path: 'Query.name', Value: 'alice-web' },
          { Path: 'Headers.X-Team', Value: 'a' },
        ],
      },
    });
    await bench.hook('second', { Request: { Add: [{ Path: 'Body.Env', Value: 'A=1' }] } });
    bench.file('hooks: [{name: owner}, {name: second}]');
    const { status } = await create({ image: 'busybox', hostconfig: { memory: 5 }, Junk: 1 }, chunked);
    expect(status).toBe(201);
    expect(created).toMatchObject([
      { Image: 'busybox', Labels: { 'com.cleat.owner': 'alice' }, HostConfig: { Memory: 67108864 }, Env: ['A=1'] },
    ]);
    expect(names).toEqual(['alice-web']);
    expect(judged).toMatchObject([
      {
        uri: '/v1.41/containers/create?name=alice-web',
        headers: { 'X-Team': 'a' },
        body: expect.stringContaining(
          '"HostConfig":{"Memory":67108864},"Labels":{"com.cleat.owner":"alice"},"Env":["A=1"]}',
        ),
      },
    ]);
    const [first, second] = bench.asked;
    expect(first?.message).toMatchObject({
      Method: 'POST',
      Route: '/containers/create',
      Params: {},
      Version: '1.41',
      Query: { name: 'web' },
      Body: { Image: 'busybox', HostConfig: { Memory: 5 } },
      Caller: { Method: 'none', User: '' },
    });
    expect(first?.message).not.toHaveProperty('Body.Junk');
    expect(second?.message).toMatchObject({ Query: { name: 'alice-web' }, Body: { HostConfig: { Memory: 67108864 } } });
  });

  test.each([
    ['Denied', { Denied: { Message: 'no' } }],
    ['Vlaue', { Set: [{ Path: 'Body.User', Vlaue: 'a' }] }],
    ['Reason', { Deny: { Message: 'no', Reason: 'x' } }],
  ])('an answer with the member %s, which the protocol does not have, refuses the request', async (name, reply) => {
    await bench.hook('misspelt', { Request: reply as never });
    bench.file('hooks: [{name: misspelt}]');
    const { status, body } = await create(undefined, chunked);
    expect({ status, body }).toEqual({
      status: 500,
      body: { message: expect.stringMatching(`^request hook misspelt failed: .*unknown field "${name}"$`) },
    });
    expect(created).toEqual([]);
  });

  test('a denial, with its status and reason; nothing is done', async () => {
    await bench.hook('no', { Request: { Deny: { Status: 404, Message: 'not \u001b[31mhere' } } });
    bench.file('hooks: [{name: no}]');
    const { status, body } = await create(undefined, chunked);
    expect({ status, body }).toEqual({
      status: 404,
      body: { message: 'request denied by hook no: not \\u001b[31mhere' },
    });
    expect([created, judged]).toEqual([[], []]);
  });

  test('an answer in the place of the engine’s: later hooks are not asked, authorizers judge it', async () => {
    await bench.hook('cache', {
      Request: { Answer: { Status: 202, Headers: { 'x-from': 'cache' }, Body: { Id: 'c' } } },
    });
    await bench.hook('late', { Request: {} });
    bench.file('hooks: [{name: cache}, {name: late}]');
    expect(await create(undefined, chunked)).toMatchObject({
      status: 202,
      headers: { 'x-from': 'cache', 'content-type': 'application/json' },
      body: { Id: 'c' },
    });
    expect(created).toEqual([]);
    expect(bench.asked.some(({ hook, method }) => hook === 'late' && method === 'Request')).toBe(false);
    expect(judgedAnswers).toMatchObject([{ status: 202, body: Buffer.from('{"Id":"c"}\n') }]);
    denies = () => true;
    expect(await create(undefined, chunked)).toMatchObject({ status: 403 });
  });

  test('an answer is changed before authorizers look at it; the last of the file is first', async () => {
    const Capabilities = { Response: 'body' };
    await bench.hook('outer', {
      Capabilities,
      Response: { Set: [{ Path: 'Status', Value: 200 }], Add: [{ Path: 'Body.Warnings', Value: 'outer' }] },
    });
    await bench.hook('inner', {
      Capabilities,
      Response: {
        Set: [{ Path: 'Headers.X-Inner', Value: 'yes' }],
        Remove: ['Headers.Server'],
        Add: [{ Path: 'Body.Warnings', Value: 'inner' }],
      },
    });
    bench.file('hooks: [{name: outer}, {name: inner}]');
    const answer = await create(undefined, chunked);
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'x-inner': 'yes', 'content-length': '42' },
      body: { Id: 'abc', Warnings: ['inner', 'outer'] },
    });
    expect(answer.headers).not.toHaveProperty('server');
    expect(judgedAnswers).toMatchObject([{ status: 200, headers: { 'X-Inner': 'yes' } }]);
  });

  test('errors are answers, too', async () => {
    await bench.hook('kind', { Capabilities: { Response: 'body' }, Response: set('Body.message', 'sorry') });
    bench.file('hooks: [{name: kind}]');
    expect(await ask('GET', '/containers/gone/json')).toMatchObject({ status: 404, body: { message: 'sorry' } });
  });
});

test('filters are an object of lists, and stay what they are where nobody changes them', async () => {
  await bench.hook('mine', { Request: { Add: [{ Path: 'Query.filters.label', Value: 'owner=a' }] } });
  bench.file('hooks: [{name: mine}]');
  const filters = encodeURIComponent('{"label":{"x=y":true},"status":["running"]}');
  expect((await ask('GET', `/containers/json?all=1&filters=${filters}`)).status).toBe(200);
  expect(listed).toMatchObject([{ all: true, filters: { label: ['x=y', 'owner=a'], status: ['running'] } }]);
  expect(bench.asked[0]?.message).toMatchObject({
    Query: { all: '1', filters: { label: ['x=y'], status: ['running'] } },
  });
});

test('a selector that a hook adds is refused like a client’s', async () => {
  await bench.hook('odd', { Request: set('Query.platform', 'linux/arm64') });
  bench.file('hooks: [{name: odd}]');
  expect(await ask('GET', '/containers/json')).toMatchObject({ status: 400, body: { message: /no parameter/ } });
});

test('a connection that is taken over: the request passes the hooks, its bytes do not', async () => {
  await bench.hook('all', { Request: set('Query.stdin', '1') });
  bench.file('hooks: [{name: all}]');
  const head = 'POST /containers/web/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n';
  const text = await talk(api.connect(), `${head}hi`, { end: true });
  expect(text).toContain('200 OK');
  expect(text).toContain('hi');
  expect(bench.asked[0]?.message).toMatchObject({ Route: '/containers/*/attach', Params: { name: 'web' } });
  expect(judged[0]?.uri).toContain('stdin=1');
});

describe('a hook that fails', () => {
  const failures: [string, unknown, RegExp][] = [
    ['an error', { Err: 'broken' }, /broken/],
    ['nonsense', 'nonsense', /something that is not a JSON object/],
    ['a member that the API does not have', set('Body.HostConfig.Memroy', 1), /the API has no such member/],
    ['a status that denies nothing', { Deny: { Status: 200, Message: '' } }, /denied with status 200/],
    [
      'an answer with framing',
      { Answer: { Status: 200, Headers: { 'Content-Length': '1' } } },
      /does not set the header/,
    ],
  ];
  test.each(failures)('with %s: closed refuses, open passes', async (_what, Request, why) => {
    await bench.hook('bad', { Request });
    bench.file('hooks: [{name: bad}]');
    const { status, body } = await create();
    expect({ status, body }).toEqual({
      status: 500,
      body: { message: expect.stringMatching(/^request hook bad failed: /) as string },
    });
    expect((body as { message: string }).message).toMatch(why);
    expect(created).toEqual([]);
    bench.file('hooks: [{name: bad, on-failure: open}]');
    expect((await create()).status).toBe(201);
    expect(bench.warned.map(({ message }) => message)).toEqual([
      'a request hook failed: the request is refused',
      'a request hook failed: the request passes without it',
    ]);
  });

  test('half-way owns no field that another one wants', async () => {
    const memory = (Value: number) => ({ Path: 'Body.HostConfig.Memory', Value });
    await bench.hook('bad', { Request: { Set: [memory(7_000_000), { Path: 'Body.HostConfig.Memroy', Value: 1 }] } });
    await bench.hook('good', { Request: { Set: [memory(8_000_000)] } });
    bench.file('hooks: [{name: bad, on-failure: open}, {name: good}]');
    expect((await create()).status).toBe(201);
    expect(created).toMatchObject([{ HostConfig: { Memory: 8_000_000 } }]);
  });

  test('by hanging, within its deadline; by not being there', async () => {
    await bench.hook('slow', { Request: () => undefined });
    bench.file('hooks: [{name: slow, deadline: 100ms}]');
    expect(await create()).toMatchObject({
      status: 500,
      body: { message: expect.stringMatching(/slow failed: .*did not answer .* within 0.1 s/) },
    });
    bench.file('hooks: [{name: gone, deadline: 100ms}]');
    expect(await create()).toMatchObject({
      status: 500,
      body: { message: expect.stringMatching(/request hook gone failed/) },
    });
    bench.file('hooks: [{name: gone, deadline: 100ms, match: [{routes: [/volumes/create]}]}]');
    expect((await create()).status).toBe(201);
  });
});

test('two that want different things: both are named, and the field', async () => {
  await bench.hook('one', { Request: set('Body.HostConfig.Memory', 1) });
  await bench.hook('two', { Request: set('Body.HostConfig', { Memory: 2 }) });
  bench.file('hooks: [{name: one}, {name: two, on-failure: open}]');
  const { status, body } = await create();
  expect({ status, body }).toEqual({
    status: 500,
    body: {
      message:
        'request hooks are in conflict: hook one sets Body.HostConfig.Memory to 1, hook two sets Body.HostConfig to {"Memory":2}; say in hooks.yaml which one "wins"',
    },
  });
  await bench.hook('three', { Request: { Remove: ['Body.HostConfig'] } });
  bench.file('hooks: [{name: one}, {name: three}]');
  expect((await create()).body).toMatchObject({
    message: expect.stringContaining('hook one sets Body.HostConfig.Memory to 1, hook three removes Body.HostConfig;'),
  });
  bench.file('hooks: [{name: one, wins: [Body.HostConfig.Memory]}, {name: two}]');
  expect((await create()).status).toBe(201);
  expect(created[0]?.HostConfig).toMatchObject({ Memory: 1 });
});

describe('the requests that a hook is asked about', () => {
  const asked = () => bench.asked.filter(({ method }) => method === 'Request').length;

  test('routes and methods, of its own wish and of the file', async () => {
    await bench.hook('some', {
      Capabilities: { Request: 'head', Match: [{ Routes: ['/containers/*/json'], Methods: ['GET'] }] },
      Request: {},
    });
    bench.file('hooks: [{name: some}]');
    await ask('GET', '/containers/web/json');
    await ask('GET', '/containers/json');
    await create();
    expect(asked()).toBe(1);
    bench.file('hooks: [{name: some, match: [{routes: [/volumes/**]}]}]');
    await ask('GET', '/containers/web/json');
    expect(asked()).toBe(1);
  });

  test('labels: of what is made, and of what the path names', async () => {
    await bench.hook('a', { Capabilities: { Request: 'head', Match: [{ Labels: ['team=a'] }] }, Request: {} });
    bench.file('hooks: [{name: a}]');
    await create();
    await create({ Image: 'x', Labels: { team: 'b' } });
    await ask('POST', '/containers/gone/kill');
    expect(asked()).toBe(0);
    await create({ Image: 'x', Labels: { team: 'a' } });
    await ask('POST', '/containers/web/kill');
    expect(asked()).toBe(2);
  });

  test('callers', async () => {
    await bench.hook('a', {
      Capabilities: { Request: 'head', Match: [{ Callers: { Methods: ['none'] } }] },
      Request: {},
    });
    bench.file('hooks: [{name: a}]');
    await create();
    expect(asked()).toBe(1);
    bench.file('hooks: [{name: a, match: [{callers: {users: [alice]}}]}]');
    await create();
    expect(asked()).toBe(1);
  });

  test('only the head, where it wants no more; it may set a member of the body all the same', async () => {
    await bench.hook('a', { Capabilities: { Request: 'head' }, Request: set('Body.User', '5') });
    bench.file('hooks: [{name: a}]');
    await create();
    expect(bench.asked[0]?.message).not.toHaveProperty('Body');
    expect(created).toMatchObject([{ Image: 'busybox', User: '5' }]);
  });

  test('a hook that came again says anew which those are', async () => {
    await bench.hook('a', { Capabilities: { Request: 'none' }, Request: {} });
    bench.file('hooks: [{name: a}]');
    await create();
    expect(asked()).toBe(0);
    bench.end('a');
    await bench.hook('a', { Request: { Deny: { Message: 'no' } } });
    await until(async () => (await create()).status === 403);
  });

  test('a route that the API does not have is a mistake, not a wish', async () => {
    await bench.hook('a', { Capabilities: { Request: 'head', Match: [{ Routes: ['/containers/crate'] }] } });
    bench.file('hooks: [{name: a}]');
    expect(await create()).toMatchObject({
      status: 500,
      body: {
        message: expect.stringContaining('the API has no route /containers/crate (did you mean /containers/create?)'),
      },
    });
  });

  test('never its own requests, and no more than so many at once', async () => {
    await bench.hook('a', { Request: () => undefined });
    bench.file('hooks: [{name: a, deadline: 10s}]');
    const own = new HookBench(`extensions: {loud: {driver: loud, module: '${loud}', kinds: [RequestHook]}}`);
    own.file('hooks: [{name: loud}]');
    const [Process, route] = [
      { PID: process.pid, UID: 0, GID: 0, Groups: [] },
      { method: 'GET', path: '/info' },
    ];
    const subject = (id: number) => ({
      ...{ id: String(id), route, params: {}, version: '1.51', query: {}, headers: {}, takesBody: false },
      ...{ caller: { Method: 'unix', User: 'root', Within: 'host', Process: { ...Process, PID: id } } },
      ...{ body: async () => undefined, labels: async () => ({}) },
    });
    try {
      await until(async () => (await own.hooks.begin(subject(1)).request()).headers.get('X-Loud') === 'yes');
      expect((await own.hooks.begin(subject(process.pid)).request()).headers.size).toBe(0);
    } finally {
      await own[Symbol.asyncDispose]();
    }
    const stops = Array.from({ length: 200 }, () => new AbortController());
    const all = stops.map(({ signal }, n) =>
      bench.hooks
        .begin({ ...subject(n), signal })
        .request()
        .catch(() => {}),
    );
    await until(() => bench.asked.length === 200);
    await expect(bench.hooks.begin(subject(1)).request()).rejects.toThrow('it has 200 questions to answer already');
    for (const stop of stops) stop.abort();
    await Promise.all(all);
  });

  test('nothing else where it has gone', async () => {
    await bench.hook('a', {
      Capabilities: { Request: 'head', Match: [{ Routes: ['/containers/json'] }] },
      Request: {},
    });
    bench.file('hooks: [{name: a, deadline: 100ms}]');
    await ask('GET', '/containers/json');
    bench.end('a');
    expect((await ask('GET', '/containers/json')).status).toBe(500);
    expect((await create()).status).toBe(201);
  });
});

test('a trace says who changed what, and why a request was refused; secrets stay out of it', async () => {
  await bench.hook('one', {
    Request: {
      Set: [
        { Path: 'Body.Image', Value: 'mirror/x' },
        { Path: 'Headers.X-Registry-Auth', Value: 'c2VjcmV0' },
      ],
      Add: [{ Path: 'Body.Env', Value: 'DB_PASSWORD=hunter2' }],
    },
  });
  await bench.hook('two', { Request: { Deny: { Message: 'not today' } } });
  bench.file('hooks: [{name: one}, {name: two}]');
  await create();
  expect(bench.hooks.traces({})).toMatchObject([
    {
      Number: 1,
      Method: 'POST',
      Route: '/containers/create',
      Decision: 'denied',
      By: 'two',
      Reason: 'not today',
      Status: 403,
      Steps: [
        {
          Hook: 'one',
          Stage: 'request',
          Result: 'changed',
          Changes: [
            { Path: 'Body.Image', From: '"busybox"', To: '"mirror/x"' },
            { Path: 'Headers.X-Registry-Auth', To: '(not shown)' },
            { Path: 'Body.Env', To: '["DB_PASSWORD=(not shown)"]' },
          ],
        },
        { Hook: 'two', Result: 'denied', Reason: 'not today', Changes: [] },
      ],
    },
  ]);
  expect(JSON.stringify(bench.hooks.traces({}))).not.toMatch(/hunter2|c2VjcmV0/);
  expect(bench.hooks.traces({ route: '/volumes/**' })).toEqual([]);
  expect(bench.hooks.list()).toMatchObject([
    { Name: 'one', Requests: 1, Changed: 1, Refused: 0 },
    { Name: 'two', Requests: 1, Changed: 0, Refused: 1 },
  ]);
});
