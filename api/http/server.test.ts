import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { ContainerCreateRequest } from '@cleat/protocol/api/container';
import type { EventMessage } from '@cleat/protocol/api/event';
import { conflict, notFound, notModified } from '@cleat/protocol/errors';
import { describe, expect, it } from 'vitest';
import { startApi, type TestApi, talk, until } from '../testing/fakes.js';
import { maxApiVersion } from './version.js';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

function ask(server: TestApi, method: string, path: string, body?: string, headers: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const request = httpRequest(
      { socketPath: server.socketPath, method, path, headers: { ...type, ...headers } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const event = (Type: EventMessage['Type'], Action: string): EventMessage => ({
  Type,
  Action,
  Actor: { ID: 'abc', Attributes: { image: 'busybox' } },
  scope: 'local',
  time: 1763780000,
  timeNano: 1763780000123456789n,
});

describe('versions', () => {
  it('negotiates as clients expect', async () => {
    await using server = await startApi({});
    for (const [method, path] of [
      ['GET', '/_ping'],
      ['HEAD', '/_ping'],
      ['GET', '/v1.24/_ping'],
    ] as const) {
      const { status, headers, text } = await ask(server, method, path);
      expect([status, text]).toEqual([200, method === 'HEAD' ? '' : 'OK']);
      expect(headers).toMatchObject({
        'api-version': maxApiVersion,
        ostype: 'linux',
        swarm: 'inactive',
        'docker-experimental': 'false',
      });
    }
    expect(await ask(server, 'GET', '/v1.60/_ping')).toMatchObject({
      status: 400,
      text: `{"message":"client version 1.60 is too new. Maximum supported API version is ${maxApiVersion}"}\n`,
    });
    // Clients this old print the body as it is.
    const old = await ask(server, 'GET', '/v1.12/_ping');
    expect(old.headers['content-type']).toMatch('text/plain');
    expect(old.text).toBe(
      'client version 1.12 is too old. Minimum supported API version is 1.20, please upgrade your client to a newer version\n',
    );
  });

  it('serves clients that send no host, or their socket', async () => {
    await using server = await startApi({});
    for (const host of ['', 'Host:\r\n', 'Host: /var/run/docker.sock\r\n']) {
      const answer = await talk(server.connect(), `GET /v1.20/_ping HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    }
  });
});

describe('errors', () => {
  it('are {"message": …} with the status of their class', async () => {
    await using server = await startApi({
      containers: {
        inspect: async () => {
          throw notFound('No such container: x');
        },
        start: async () => {
          throw notModified('');
        },
        kill: async () => {
          throw conflict('container abc is not running');
        },
      },
    });
    expect(await ask(server, 'GET', '/containers/x/json')).toMatchObject({
      status: 404,
      text: '{"message":"No such container: x"}\n',
    });
    expect(await ask(server, 'POST', '/containers/x/start')).toMatchObject({ status: 304, text: '' });
    expect(await ask(server, 'POST', '/containers/x/kill?signal=KILL')).toMatchObject({
      status: 409,
      text: '{"message":"cannot kill container: x: container abc is not running"}\n',
    });
    expect(await ask(server, 'GET', '/nowhere')).toMatchObject({ status: 404, text: '{"message":"page not found"}\n' });
    expect(await ask(server, 'GET', '/nodes')).toMatchObject({ status: 503 });
    expect(await ask(server, 'GET', '/containers/%zz/json')).toMatchObject({ status: 400 });
  });

  it('refuse filters that are none', async () => {
    await using server = await startApi({
      containers: { prune: async () => ({ ContainersDeleted: [], SpaceReclaimed: 0 }) },
    });
    const answer = await ask(server, 'POST', `/containers/prune?filters=${encodeURIComponent('["label"]')}`);
    expect(answer).toMatchObject({ status: 400, text: '{"message":"invalid filter"}\n' });
  });
});

describe('bodies', () => {
  it('are read as Go reads them, and mean what they meant in the version of the client', async () => {
    const created: [ContainerCreateRequest, object][] = [];
    await using server = await startApi({
      containers: {
        create: async (request, options) => {
          created.push([request, options]);
          return { Id: 'abc', Warnings: [] };
        },
      },
    });
    const body = '{"image":"busybox","CMD":"true","hostconfig":null,"Unknown":1,"Tty":null}';
    expect(await ask(server, 'POST', '/v1.39/containers/create?name=x', body)).toMatchObject({
      status: 201,
      text: '{"Id":"abc","Warnings":null}\n',
    });
    expect(created[0]).toEqual([
      {
        Image: 'busybox',
        Cmd: ['true'],
        HostConfig: { NetworkMode: 'bridge', IpcMode: 'shareable', CgroupnsMode: 'host' },
        NetworkingConfig: { EndpointsConfig: {} },
      },
      { name: 'x', platform: undefined, readOnlyNonRecursive: true },
    ]);
    const answer = await ask(
      server,
      'POST',
      '/v1.43/containers/create',
      '{"Image":"b","MacAddress":"02:42:00:00:00:01"}',
    );
    expect(answer.text).toBe('{"Id":"abc","Warnings":[]}\n');
    expect(created[1]?.[0].NetworkingConfig).toEqual({
      EndpointsConfig: { bridge: { MacAddress: '02:42:00:00:00:01' } },
    });
  });

  it.each([
    [
      '{"Image":"b","HostConfig":{"Memory":"1g"}}',
      /invalid JSON: json: cannot unmarshal string into Go struct field HostConfig\.HostConfig\.Resources\.Memory of type int64/,
    ],
    ['{"Image":', /invalid JSON/],
    ['{}', /config cannot be empty/],
  ])('that make no sense are refused: %s', async (body, message) => {
    await using server = await startApi({});
    const answer = await ask(server, 'POST', '/containers/create', body);
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(message);
  });

  it('are named on every route as Go names them', async () => {
    await using server = await startApi({});
    for (const [path, type] of [
      ['/containers/create', 'runconfig.ContainerConfigWrapper'],
      ['/containers/c/update', 'container.UpdateConfig'],
      ['/v1.23/containers/c/start', 'runconfig.ContainerConfigWrapper'],
      ['/commit', 'runconfig.ContainerConfigWrapper'],
      ['/containers/c/exec', 'types.ExecConfig'],
      ['/exec/e/start', 'types.ExecStartCheck'],
      ['/networks/create', 'types.NetworkCreateRequest'],
      ['/networks/n/connect', 'types.NetworkConnect'],
      ['/networks/n/disconnect', 'types.NetworkDisconnect'],
      ['/volumes/create', 'volume.CreateOptions'],
      ['/auth', 'registry.AuthConfig'],
    ]) {
      const answer = await ask(server, 'POST', path ?? '', '5');
      const text = `invalid JSON: json: cannot unmarshal number into Go value of type ${type}`;
      expect(`${answer.status} ${answer.text}`, path).toMatch(new RegExp(`^400 .*${text}`));
    }
  });

  it("bodies of a web page's form are refused", async () => {
    await using server = await startApi({});
    const answer = await ask(server, 'POST', '/containers/create', '{"Image":"b"}', { 'Content-Type': 'text/plain' });
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.text).toContain("unsupported Content-Type header (text/plain): must be 'application/json'");
  });

  it('come with start only from clients before 1.24', async () => {
    const started: unknown[] = [];
    await using server = await startApi({ containers: { start: async (_ref, options) => void started.push(options) } });
    const body = '{"Binds":["/a:/b"]}';
    expect(await ask(server, 'POST', '/v1.23/containers/c/start', body)).toMatchObject({ status: 204 });
    expect(started).toEqual([expect.objectContaining({ hostConfig: { Binds: ['/a:/b'] } })]);
    expect(await ask(server, 'POST', '/v1.24/containers/c/start', body)).toMatchObject({ status: 400 });
    expect(await ask(server, 'POST', '/v1.24/containers/c/start', '{}')).toMatchObject({ status: 204 });
  });
});

describe('streams', () => {
  it('streams of events keep int64 and the fields of old clients, and end with the client', async () => {
    let ended = false;
    await using server = await startApi({
      events: {
        subscribe: async function* ({ signal }) {
          yield [event('container', 'die'), event('network', 'connect')];
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          ended = true;
        },
      },
    });
    const socket = server.connect();
    socket.write('GET /v1.23/events HTTP/1.1\r\nHost: x\r\n\r\n');
    const answer = await until(socket, 'connect');
    expect(answer).toContain('{"status":"die","id":"abc","from":"busybox","Type":"container"');
    expect(answer).toContain('"timeNano":1763780000123456789}\n');
    expect(answer).toMatch(/\n\{"Type":"network"/);
    socket.destroy();
    await expect.poll(() => ended).toBe(true);
  });

  it('the answer to a wait begins before the exit', async () => {
    let exit: (code: number) => void = () => {};
    await using server = await startApi({
      containers: {
        wait: () => ({
          result: new Promise((resolve) => {
            exit = (StatusCode) => resolve({ StatusCode });
          }),
        }),
      },
    });
    const socket = server.connect();
    socket.write('POST /v1.41/containers/c/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await until(socket, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK/);
    const rest = until(socket, '}');
    exit(3);
    expect(await rest).toContain('{"StatusCode":3}');
  });

  it('streams of logs pass on what comes, and report a late failure in band', async () => {
    await using server = await startApi({
      containers: {
        logs: async (_ref, { tail, timestamps }) => ({
          tty: false,
          chunks: (async function* () {
            yield Buffer.from(`${tail} ${timestamps}`);
            throw new Error('gone');
          })(),
        }),
      },
    });
    const { text, headers } = await ask(server, 'GET', '/containers/c/logs?stderr=1&timestamps=1&tail=7');
    expect(headers['content-type']).toBe('application/vnd.docker.multiplexed-stream');
    expect(text).toBe('7 true\x03\0\0\0\0\0\0\x1aError grabbing logs: gone\n');
    expect((await ask(server, 'GET', '/containers/c/logs')).status).toBe(400);
  });

  it('streams of progress report a late failure in a last line, an early one as a status', async () => {
    let early = true;
    await using server = await startApi({
      images: {
        pull: async function* () {
          if (early) throw notFound('manifest unknown');
          yield { status: 'Pulling' };
          throw new Error('broken pipe');
        },
      },
    });
    expect(await ask(server, 'POST', '/images/create?fromImage=a')).toMatchObject({ status: 404 });
    early = false;
    expect(await ask(server, 'POST', '/images/create?fromImage=a')).toMatchObject({
      status: 200,
      text: '{"status":"Pulling"}\n{"errorDetail":{"message":"broken pipe"},"error":"broken pipe"}\n',
    });
  });
});

describe('uploads', () => {
  it('are answered even when nobody reads them, and the connection lives on', async () => {
    await using server = await startApi({
      containers: {
        putArchive: async (_ref, _path, tar) => {
          tar.destroy();
          throw notFound('No such container: x');
        },
      },
    });
    const socket = server.connect();
    const size = 4 * 1024 * 1024;
    socket.write(`PUT /containers/x/archive?path=/ HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
    const refused = until(socket, 'No such container');
    socket.write(Buffer.alloc(size));
    expect(await refused).toMatch(/^HTTP\/1\.1 404/);
    const next = until(socket, 'OK\r\n');
    socket.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await next).toMatch(/^HTTP\/1\.1 200/);
    socket.destroy();
  });

  it('do not outrun a slow reader, and neither do answers', async () => {
    let produced = 0;
    await using server = await startApi({
      events: {
        subscribe: async function* () {
          for (; produced < 100_000; produced++) yield [event('container', 'x'.repeat(1000))];
        },
      },
    });
    const socket = server.connect();
    socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.pause();
    let before = -1;
    // It stops by itself: the buffers between are full.
    await expect
      .poll(
        () => {
          const still = produced === before;
          before = produced;
          return still && produced > 0;
        },
        { interval: 100, timeout: 60_000 },
      )
      .toBe(true);
    expect(produced).toBeLessThan(10_000);
    socket.destroy();
  });
});

describe('names of images', () => {
  it('have slashes, colons and digests', async () => {
    const asked: string[] = [];
    await using server = await startApi({
      images: {
        history: async (ref) => {
          asked.push(ref);
          return [];
        },
      },
    });
    await ask(server, 'GET', '/v1.41/images/localhost:5000/team/app:1/history');
    await ask(server, 'GET', `/images/${encodeURIComponent('a/b@sha256:00')}/history`);
    expect(asked).toEqual(['localhost:5000/team/app:1', 'a/b@sha256:00']);
  });
});

describe('TCP without TLS', () => {
  it('refuses web pages', async () => {
    await using server = await startApi({});
    const [listener] = await server.api.listen('tcp://127.0.0.1:0');
    const url = listener?.address.replace('tcp:', 'http:') ?? '';
    const status = async (headers: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        httpRequest(`${url}/_ping`, { headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    expect(await status({})).toBe(200);
    expect(await status({ Origin: 'http://evil.example' })).toBe(403);
    expect(await status({ Host: 'rebound.evil.example:2375' })).toBe(403);
  });
});
