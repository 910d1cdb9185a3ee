import { request } from 'node:http';
import { silentLogger } from '@cleat/protocol/log';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { maxApiVersion } from '../../api/http/version.js';
import { apiRoutes } from '../../api/routes.js';
import { fakeServices } from '../../api/testing/fakes.js';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** Requests as clients of 2015 sent them, and what stood in the answers then. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.[Symbol.asyncDispose]());
const { ok } = clientOf(() => engine);

async function call(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; json: Record<string, unknown>; headers: Record<string, unknown> }> {
  const { status, body: text, headers } = await engine.api(method, path, body);
  const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status, json, headers };
}

describe('versions', () => {
  test.each(['1.20', '1.23', '1.24', '1.41', '1.44', '1.51', maxApiVersion])('%s is served', async (version) => {
    expect((await call('GET', `/v${version}/version`)).json).toMatchObject({
      Os: 'linux',
      MinAPIVersion: '1.20',
      ApiVersion: maxApiVersion,
    });
    expect((await call('GET', `/v${version}/_ping`)).status).toBe(200);
    expect((await call('GET', `/v${version}/info`)).json).toMatchObject({ Driver: 'overlay2' });
  });
  test('too old and too new are refused in Docker’s words', async () => {
    // Before 1.24 errors were plain text, and such a client prints the body as it is.
    expect(await engine.api('GET', '/v1.12/info')).toMatchObject({
      status: 400,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: expect.stringMatching(/^client version 1\.12 is too old\. Minimum supported API version is 1\.20/),
    });
    expect(await call('GET', '/v1.99/info')).toMatchObject({
      status: 400,
      json: {
        message: expect.stringContaining(
          `client version 1.99 is too new. Maximum supported API version is ${maxApiVersion}`,
        ),
      },
    });
  });
  test('ping says what is spoken here', async () => {
    for (const method of ['GET', 'HEAD']) {
      const { headers } = await call(method, '/_ping');
      expect(headers).toMatchObject({ 'api-version': maxApiVersion, ostype: 'linux' });
    }
  });
  test('the stock client of any age', async () => {
    for (const version of ['1.24', '1.30', '1.40', '1.44', '1.50']) {
      const { stdout, code } = await engine.docker(
        { env: { DOCKER_API_VERSION: version } },
        'run',
        '--rm',
        'busybox',
        'echo',
        version,
      );
      expect({ code, stdout }).toEqual({ code: 0, stdout: `${version}\n` });
    }
  });
});

test('a life as docker-py 1.x lived it', async () => {
  const created = await call('POST', '/v1.21/containers/create?name=twenty-fifteen', {
    Hostname: '',
    AttachStdout: true,
    ExposedPorts: {},
    Cmd: 'true',
    image: 'busybox',
    HostConfig: {
      Binds: null,
      NetworkMode: 'default',
      Links: [],
      LxcConf: [],
      MemorySwappiness: -1,
      RestartPolicy: { name: '', MaximumRetryCount: 0 },
    },
    Unheard: { of: true },
  });
  expect(created).toMatchObject({ status: 201, json: { Id: expect.stringMatching(/^[0-9a-f]{64}$/) } });
  // Until 1.23 a client could send the host configuration with start.
  expect((await call('POST', '/v1.21/containers/twenty-fifteen/start', {})).status).toBe(204);
  expect(await call('POST', '/v1.21/containers/twenty-fifteen/wait')).toMatchObject({
    status: 200,
    json: { StatusCode: 0 },
  });
  expect((await call('POST', '/v1.21/containers/twenty-fifteen/start')).status).toBe(204);
  await call('POST', '/v1.21/containers/twenty-fifteen/wait');
  const inspected = await call('GET', '/v1.21/containers/twenty-fifteen/json');
  expect(inspected.json).toMatchObject({
    Name: '/twenty-fifteen',
    State: { Status: 'exited', ExitCode: 0 },
    NetworkSettings: { Networks: { bridge: {} } },
  });
  expect((await call('DELETE', '/v1.21/containers/twenty-fifteen?v=1')).status).toBe(204);
});

test('the host configuration that comes with start is the one that holds', async () => {
  const body = { Image: 'busybox', Cmd: ['sh', '-c', 'ls /given /own; hostname'], Volumes: { '/own': {} } };
  expect((await call('POST', '/v1.20/containers/create?name=late', body)).status).toBe(201);
  const refusedBody = { Binds: ['/tmp:/given'], RestartPolicy: { Name: 'bad' } };
  expect((await call('POST', '/v1.20/containers/late/start', refusedBody)).status).toBe(400);
  expect((await call('GET', '/containers/late/json')).json).toMatchObject({ State: { Status: 'created' } });
  const host = { Binds: [`${engine.pluginDirectory}:/given:ro`], NetworkMode: 'none', Memory: 33_554_432 };
  expect((await call('POST', '/v1.20/containers/late/start', host)).status).toBe(204);
  await ok('wait', 'late');
  const { json } = await call('GET', '/containers/late/json');
  expect(json).toMatchObject({
    State: { ExitCode: 0 },
    HostConfig: { ...host, NetworkMode: 'none' },
    NetworkSettings: { Networks: { none: {} } },
  });
  expect((json.Mounts as { Destination: string }[]).map(({ Destination }) => Destination).sort()).toEqual([
    '/given',
    '/own',
  ]);
  await ok('rm', '-v', 'late');
  expect(await ok('volume', 'ls', '-q')).toBe('');
});

describe('shapes', () => {
  test('events carry status, id and from', async () => {
    const since = Date.now() / 1000 - 1;
    await ok('run', '--rm', 'busybox', 'true');
    const { body: text } = await engine.api(
      'GET',
      `/v1.20/events?since=${since}&until=${Date.now() / 1000 + 0.5}&filters=${encodeURIComponent('{"event":["die"]}')}`,
    );
    const [line = '{}'] = text.trim().split('\n');
    expect(JSON.parse(line)).toMatchObject({
      status: 'die',
      from: 'busybox',
      id: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(line).toMatch(/"timeNano":\d{19}\b/);
  });
  test('images have VirtualSize below 1.44 only', async () => {
    const images = async (version: string) =>
      JSON.parse((await engine.api('GET', `/v${version}/images/json`)).body) as Record<string, unknown>[];
    expect((await images('1.43'))[0]).toHaveProperty('VirtualSize');
    expect((await images('1.44'))[0]).not.toHaveProperty('VirtualSize');
  });
  test('errors are JSON with a message', async () => {
    expect(await call('GET', '/v1.41/containers/nobody/json')).toMatchObject({
      status: 404,
      json: { message: 'No such container: nobody' },
    });
    expect((await call('GET', '/v1.41/nowhere')).json).toEqual({ message: 'page not found' });
    expect((await call('GET', `/v1.41/containers/json?filters=${encodeURIComponent('{"x":["y"]}')}`)).status).toBe(400);
    expect((await call('GET', '/v1.41/containers/json?limit=-1')).status).toBe(200);
  });
});

/** Bytes of the answer, but for what changes from one moment to the next. */
async function said(method: string, path: string, headers: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({
      socketPath: engine.socket,
      method,
      path,
      headers: { Connection: 'keep-alive', ...headers },
    });
    sent.on('error', reject).on('response', (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => {
        const text = [answer.statusCode, answer.statusMessage, ...answer.rawHeaders, body].join('\n');
        resolve(text.replace(/"Status":"Up [^"]*"/g, '"Status":"Up"').replace(/\d+(\.\d+)?/g, 'N'));
      });
    });
    sent.end();
  });
}

test('a request that is answered without Node’s parser has the same answer', async () => {
  const { Id } = (await call('POST', '/containers/create?name=alike', { Image: 'busybox', Cmd: ['sleep', 'inf'] }))
    .json;
  await ok('start', 'alike');
  const exec = (await call('POST', `/containers/${String(Id)}/exec`, { Cmd: ['true'] })).json;
  await ok('volume', 'create', 'alike');
  const names: Record<string, string> = { images: 'busybox', networks: 'bridge', exec: String(exec.Id) };
  const isWhole = ({ method, hijacks, streams }: (typeof routes)[number]) =>
    (method === 'GET' || method === 'HEAD') && !hijacks && !streams;
  const routes = apiRoutes(fakeServices({}), { log: silentLogger, version: '' });
  const whole = routes.filter(isWhole);
  expect(whole.length).toBeGreaterThan(25);
  for (const { method, path } of whole) {
    const room = path.split('/')[1] ?? '';
    for (const name of [names[room] ?? 'alike', 'no%20such']) {
      for (const version of ['', `/v${maxApiVersion}`, '/v1.51', '/v1.24', '/v1.20']) {
        const target = `${version}${path.replace(/:\w+/, name)}`;
        const answer = await said(method, target, {});
        expect({ method, target, answer }).toEqual({
          method,
          target,
          answer: await said(method, target, { 'X-Other': '1' }),
        });
      }
      if (!path.includes(':')) break;
    }
  }
  await ok('rm', '-f', 'alike');
  await ok('volume', 'rm', 'alike');
});
