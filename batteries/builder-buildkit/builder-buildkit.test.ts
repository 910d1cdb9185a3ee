import { once } from 'node:events';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ScriptedBuildKit, type SolveRequest } from '@cleat/protocol/buildkit/scripted.fixture';
import * as messages from '@cleat/protocol/buildkit/session';
import { bytesMessage } from '@cleat/protocol/grpc/common';
import { code, StatusError } from '@cleat/protocol/grpc/status';
import type { BuildLine, BuildRequest } from '@cleat/protocol/kinds/builder';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BuildKitBuilder } from './driver.js';
import { socketPath } from './options.js';
import { solveRequestOf } from './order.js';
import { Progress } from './progress.js';

const order: BuildRequest = { ID: 'b', Engine: '/e', Context: '/context', Dockerfile: '/beside/app.Dockerfile' };
const attributes = (more: Partial<BuildRequest>) => {
  const { FrontendAttrs = new Map() } = solveRequestOf({ ...order, ...more });
  return Object.fromEntries([...FrontendAttrs].filter(([name]) => name !== 'filename'));
};

describe('an order as a call of BuildKit’s', () => {
  test.each<[Partial<BuildRequest>, Record<string, string>]>([
    [
      { Target: 'prod', Platform: 'linux/arm64' },
      { target: 'prod', platform: 'linux/arm64' },
    ],
    [
      { BuildArgs: { A: '1', B: '' }, Labels: { l: '' } },
      { 'build-arg:A': '1', 'build-arg:B': '', 'label:l': '' },
    ],
    [{ NoCache: true, NoCacheFilter: ['a'] }, { 'no-cache': '' }],
    [
      { NoCacheFilter: ['a', 'b'], Pull: true },
      { 'no-cache': 'a,b', 'image-resolve-mode': 'pull' },
    ],
    [{ CacheFrom: ['r/x'] }, { 'cache-imports': '[{"Type":"registry","Attrs":{"ref":"r/x"}}]' }],
    [{ Network: 'default', ExtraHosts: ['a:::1', 'b:1.2.3.4'] }, { 'add-hosts': 'a=::1,b=1.2.3.4' }],
    [
      { ShmSize: 64, CgroupParent: '/p' },
      { 'shm-size': '64', 'cgroup-parent': '/p' },
    ],
    [{ Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }, { Name: 'core' }] }, { ulimit: 'nofile=1:2,core=0:0' }],
    [
      { Contexts: { a: { Directory: '/a' }, b: { Image: 'busybox' } } },
      { 'context:a': 'local:context:a', 'context:b': 'docker-image://busybox' },
    ],
  ])('%j', (more, expected) => expect(attributes(more)).toEqual(expected));

  test('has what is beside the attributes', () => {
    const asked = solveRequestOf({ ...order, Network: 'host', Allow: ['security.insecure'], CacheTo: ['type=inline'] });
    expect(asked).toMatchObject({
      Entitlements: ['security.insecure', 'network.host'],
      Cache: { Exports: [{ Type: 'inline' }] },
      Exporters: [{ Type: 'oci' }],
      ExporterDeprecated: 'oci',
    });
    expect(asked.FrontendAttrs?.get('filename')).toBe('app.Dockerfile');
    expect(asked.FrontendAttrs?.get('force-network-mode')).toBe('host');
  });

  test.each<[Partial<BuildRequest>, RegExp]>([
    [{ Memory: 1 }, /limit of memory/],
    [{ MemorySwap: -1 }, /limit of memory/],
    [{ CpuSetCpus: '0' }, /limit of processors/],
    [{ SecurityOpt: ['a=b'] }, /security-opt/],
    [{ CacheFrom: ['type=local,src=/x'] }, /cache-from/],
    [{ CacheTo: ['type=local,dest=/x'] }, /cache-to/],
    [{ Network: 'mine' }, /network "mine"/],
    [{ Contexts: { a: { Image: `sha256:${'1'.repeat(64)}` } } }, /no name/],
  ])('%j is refused', (more, reason) => expect(() => solveRequestOf({ ...order, ...more })).toThrow(reason));

  test('goes to a UNIX socket only', () => {
    expect(socketPath('unix:///a/b')).toBe('/a/b');
    expect(socketPath('/a/b')).toBe('/a/b');
    expect(() => socketPath('tcp://1.2.3.4:5')).toThrow(/must be a UNIX socket/);
  });
});

describe('the words of BuildKit', () => {
  const empty = { vertexes: [], statuses: [], logs: [], warnings: [] };
  const at = (seconds: number) => ({ seconds, nanos: 5 });

  test('are steps in the order in which they begin, output, progress and warnings', () => {
    const progress = new Progress();
    const lines = [
      {
        vertexes: [
          { digest: 'i', name: '[internal] load', started: at(1) },
          { digest: 'b', name: '[two 2/12] RUN make' },
        ],
      },
      { vertexes: [{ digest: 'a', name: '[one  1/12] FROM x', started: at(2), cached: true }] },
      { vertexes: [{ digest: 'b', name: '[two 2/12] RUN make', started: at(3), completed: at(4), inputs: ['a'] }] },
      { logs: [{ vertex: 'b', stream: 2, msg: Buffer.from('said') }] },
      {
        statuses: [
          { ID: 'resolve x', vertex: 'a' },
          { ID: 'layer', vertex: 'a', current: 1, total: 2 },
        ],
      },
      { warnings: [{ vertex: 'b', short: Buffer.from('short'), detail: [Buffer.from('d')], url: 'u' }] },
    ].flatMap((status) => [...progress.linesOf({ ...empty, ...status })]);
    const began = (second: number) => `1970-01-01T00:00:0${second}.000000005Z`;
    expect(lines.map((line) => Object.values(line)[0])).toEqual([
      { ID: 'i', Name: '[internal] load', Inputs: [], Started: began(1) },
      { ID: 'b', Name: 'RUN make', Steps: 1, Stage: 'two', StageStep: 2, StageSteps: 12, Inputs: [] },
      ...[{ ID: 'a', Name: 'FROM x', Step: 1, Steps: 2, Stage: 'one', StageStep: 1, StageSteps: 12, Inputs: [] }].map(
        (vertex) => ({ ...vertex, Started: began(2), Cached: true }),
      ),
      ...[{ ID: 'b', Name: 'RUN make', Step: 2, Steps: 2, Stage: 'two', StageStep: 2, StageSteps: 12 }].map(
        (vertex) => ({
          ...vertex,
          ...{ Inputs: ['a'], Started: began(3), Completed: began(4) },
        }),
      ),
      { Vertex: 'b', Stream: 2, Data: Buffer.from('said').toString('base64') },
      { Vertex: 'a', ID: 'layer', Current: 1, Total: 2 },
      { Vertex: 'b', Short: 'short', Detail: 'd', URL: 'u' },
    ]);
  });

  test('become those of the classic builder where a step has failed', () => {
    const progress = new Progress();
    const message = 'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3';
    expect(progress.failure(`failed: ${message}`, 2)).toEqual({ Message: `failed: ${message}`, Line: 2 });
    expect([
      ...progress.linesOf({ ...empty, vertexes: [{ digest: 'r', name: '[1/1] RUN exit 3', error: message }] }),
    ]).toHaveLength(1);
    expect(progress.failure(`failed to solve: ${message}`, undefined)).toEqual({
      Message: "The command '/bin/sh -c exit 3' returned a non-zero code: 3",
      Code: 3,
      Vertex: 'r',
    });
  });
});

describe('a build', () => {
  let directory: string;
  let buildkit: ScriptedBuildKit;
  let engine: Server;
  let loaded: string;
  const image = `sha256:${'a'.repeat(64)}`;
  let answer: { status: number; text: string };
  const at = (name: string) => join(directory, name);

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'cleat-buildkit-'));
    buildkit = await ScriptedBuildKit.listen(at('buildkit'));
    loaded = '';
    answer = { status: 200, text: `{"stream":"Loaded image ID: ${image}\\n"}\n` };
    engine = createHttpServer(async (request, response) => {
      loaded = `${request.url} ${await text(request)}`;
      response.writeHead(answer.status).end(answer.text);
    }).listen(at('engine'));
    await once(engine, 'listening');
    mkdirSync(at('context/d/deep'), { recursive: true });
    writeFileSync(at('context/d/f'), 'in it');
    writeFileSync(at('context/d-e'), '');
    writeFileSync(at('context/large'), 'x'.repeat(600_000));
    symlinkSync('../../outside', at('context/link'));
    writeFileSync(at('Dockerfile'), 'FROM scratch');
    writeFileSync(at('secret'), 'hidden');
  });
  afterEach(async () => {
    engine.close();
    engine.closeAllConnections();
    await buildkit[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  const builder = () => new BuildKitBuilder(at('buildkit'), silentLogger);
  async function build(more: Partial<BuildRequest> = {}, signal = new AbortController().signal): Promise<BuildLine[]> {
    const places = { Engine: at('engine'), Context: at('context'), Dockerfile: at('Dockerfile') };
    const lines: BuildLine[] = [];
    for await (const bytes of builder().Build({ ...order, ...places, ...more }, { signal })) {
      lines.push(JSON.parse(Buffer.from(bytes).toString('utf8')) as BuildLine);
    }
    return lines;
  }
  const finish = async (request: SolveRequest) => {
    await buildkit.send(
      request,
      0,
      (async function* () {
        yield Buffer.from('an ');
        yield Buffer.from('archive');
      })(),
    );
    return new Map<string, string>();
  };

  test('has its files, and its result is loaded', async () => {
    let files: Record<string, string> = {};
    let dockerfile: Record<string, string> = {};
    let named: Record<string, string> = {};
    buildkit.statuses = [{ vertexes: [{ digest: 'v', name: '[1/1] COPY . .' }] }];
    buildkit.script = async (request) => {
      dockerfile = await buildkit.files(request, 'dockerfile');
      files = await buildkit.files(request, 'context', { 'exclude-patterns': ['d'] });
      named = await buildkit.files(request, 'context:other');
      return await finish(request);
    };
    const lines = await build({
      DockerfileName: 'x/app.Dockerfile',
      Contexts: { other: { Directory: at('context/d') } },
    });
    expect(dockerfile).toEqual({ 'app.Dockerfile': 'FROM scratch' });
    // Everything that is there, in the order of paths.
    expect(Object.keys(files)).toEqual(['d/', 'd/deep/', 'd/f', 'd-e', 'large', 'link']);
    expect(files).toMatchObject({ 'd/f': 'in it', large: 'x'.repeat(600_000), link: '-> ../../outside' });
    expect(named).toEqual({ 'deep/': '', f: 'in it' });
    expect(loaded).toBe('/images/load?quiet=1 an archive');
    expect(lines.at(0)).toMatchObject({ Vertex: { Name: 'COPY . .' } });
    expect(lines.at(-1)).toEqual({ Result: { Image: image } });
    await expect.poll(() => buildkit.sessions.size).toBe(0);
  });

  test('has its secrets, agents and credentials, and no others', async () => {
    const agent = createServer((socket) => socket.on('data', (data) => socket.end(`${data} back`)));
    agent.listen(at('agent'));
    await once(agent, 'listening');
    const told: unknown[] = [];
    buildkit.script = async (request) => {
      const { client } = await buildkit.session(request.Session);
      const secret = (ID: string) =>
        client
          .call('/moby.buildkit.secrets.v1.Secrets/GetSecret', [messages.secretRequest, messages.secretResponse], {
            ID,
          })
          .then(
            ({ data }) => Buffer.from(data).toString(),
            (error: StatusError) => error.code,
          );
      const login = (Host: string) =>
        client.call('/moby.filesync.v1.Auth/Credentials', [messages.credentialsRequest, messages.credentialsResponse], {
          Host,
        });
      const ssh = client.stream('/moby.sshforward.v1.SSH/ForwardAgent', [bytesMessage, bytesMessage], {
        headers: { 'buildkit.ssh.id': 'mine' },
      });
      await ssh.send({ data: Buffer.from('there and') });
      let heard = '';
      for await (const { data } of ssh.messages) heard += Buffer.from(data).toString();
      told.push(await secret('s'), await secret('t'), heard);
      told.push(await login('registry-1.docker.io'), await login('r:5000'), await login('other'), await login('auth'));
      told.push(await buildkit.files(request, '/etc').catch((error: StatusError) => error.message));
      return await finish(request);
    };
    const auth = Buffer.from('user:pass:word').toString('base64');
    await build({
      Secrets: [{ ID: 's', File: at('secret') }],
      SSH: [{ ID: 'mine', Socket: at('agent') }],
      RegistryAuth: { 'docker.io': { username: 'u', password: 'p' }, 'r:5000': { identitytoken: 't' }, auth: { auth } },
    });
    agent.close();
    expect(told).toEqual([
      'hidden',
      code.notFound,
      'there and back',
      { Username: 'u', Secret: 'p' },
      { Username: '', Secret: 't' },
      { Username: '', Secret: '' },
      { Username: 'user', Secret: 'pass:word' },
      'local directory /etc not enabled',
    ]);
  });

  test.each<[string, () => void, object]>([
    [
      'fails there, with its place',
      () => {
        const place = Buffer.from(JSON.stringify({ ranges: [{ start: { line: 7 } }] }));
        buildkit.script = async () => {
          throw new StatusError(code.unknown, 'it failed', [
            { typeUrl: 'github.com/moby/buildkit/errdefs.Source+json', value: place },
          ]);
        };
      },
      { Message: 'it failed', Line: 7 },
    ],
    ['sends nothing', () => {}, { Message: 'buildkitd says that the build is done, but it has sent no image' }],
    [
      'is refused by the engine',
      () => {
        answer = { status: 507, text: '{"message":"no space left on device"}' };
        buildkit.script = finish;
      },
      { Message: 'the engine did not take the image: no space left on device' },
    ],
    [
      'asks for a file twice',
      () => {
        buildkit.script = async (request) => {
          const { client } = await buildkit.session(request.Session);
          const { packet, packetType } = messages;
          const call = client.stream('/moby.filesync.v1.FileSync/DiffCopy', [packet, packet], {
            headers: { 'dir-name': 'dockerfile' },
          });
          await call.send({ type: packetType.request, ID: 0 }, { type: packetType.request, ID: 0 });
          for await (const _ of call.messages);
          return new Map();
        };
      },
      { Message: 'buildkitd asks for a file that it was not told of' },
    ],
    [
      'loses its buildkitd',
      () => {
        buildkit.script = async () => {
          buildkit.cut();
          return new Map();
        };
      },
      { Message: expect.stringMatching(/buildkitd at \S+ has gone/) },
    ],
  ])('that %s ends in words', async (_how, arrange, expected) => {
    arrange();
    expect((await build()).at(-1)).toEqual({ Error: expected });
  });

  test('that is cancelled is cancelled there', async () => {
    const stop = new AbortController();
    let seen: AbortSignal | undefined;
    buildkit.script = async (_request, signal) => {
      seen = signal;
      stop.abort();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      throw signal.reason;
    };
    expect(await build({}, stop.signal)).toEqual([]);
    await expect.poll(() => seen?.aborted).toBe(true);
  });

  test('is refused where no buildkitd is', async () => {
    await buildkit[Symbol.asyncDispose]();
    const [last] = await build();
    expect(last?.Error?.Message).toMatch(/cannot be reached: connect ENOENT .*Start it, or choose another builder/);
  });

  test('leaves a cache, which is told and pruned for the builder that is chosen, and no other', async () => {
    const { signal } = new AbortController();
    const time = { seconds: 1_700_000_000, nanos: 120_000_000 };
    buildkit.usage = [{ ID: 'one', Size: 5, RecordType: 'regular', Parent: 'two', CreatedAt: time, UsageCount: 2 }];
    expect(await builder().DiskUsage({})).toEqual({});
    expect(await builder().DiskUsage({ Chosen: true })).toMatchObject({
      Records: [{ ID: 'one', Size: 5, Parents: ['two'], CreatedAt: '2023-11-14T22:13:20.120000000Z', UsageCount: 2 }],
    });
    expect(await builder().Prune({ All: true }, { signal })).toEqual({});
    expect(buildkit.prunes).toEqual([]);
    const Filters = { until: ['1h30m'], id: ['x'], inuse: ['false'] };
    expect(await builder().Prune({ Chosen: true, All: true, Filters, MaxUsedSpace: 7 }, { signal })).toEqual({
      Removed: ['one'],
      SpaceReclaimed: 5,
    });
    expect(buildkit.prunes).toMatchObject([
      { all: true, filter: ['id~=x,inuse==false'], keepDuration: 5_400_000_000_000, maxUsedSpace: 7 },
    ]);
    await expect(builder().Prune({ Filters: { strange: ['x'] } }, { signal })).rejects.toThrow(
      /invalid filter 'strange'/,
    );
  });
});
