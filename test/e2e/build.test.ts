import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { BuildLine, BuildVertex } from '@cleat/protocol/kinds/builder';
import Docker from 'dockerode';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { askEngine, ran, ScriptedBuilder } from './support/scripted-builder.js';

/** Building by the classic door: what the engine brings a builder, what it tells its user, and what it leaves behind. */
let engine: Engine;
let builder: ScriptedBuilder;
let context: string;
let busybox: string;
const { ok } = clientOf(() => engine);
const classic = { DOCKER_BUILDKIT: '0' };
const docker = (...args: string[]) => engine.docker(...args, { env: classic });
/** Directories of contexts that exist now. */
const contexts = () => readdirSync(join(engine.dataRoot, 'builds/new'));

beforeAll(async () => {
  engine = await startEngine({ flags: ['--builder-driver=script'] });
  builder = await ScriptedBuilder.start(engine.pluginDirectory, 'script');
  context = await mkdtemp('/tmp/cleat-e2e-build-');
  writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\n');
  writeFileSync(join(context, 'file'), 'content');
  busybox = await ok('inspect', '-f', '{{.Id}}', 'busybox');
});
afterAll(async () => {
  await builder?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
  await rm(context, { recursive: true, force: true });
});
beforeEach(async () => {
  await removeAll(engine);
  builder.orders.length = builder.prunes.length = 0;
  builder.known.clear();
  builder.script = async function* () {
    yield { Result: { Image: busybox } };
  };
});

const at = '2026-11-29T18:00:00.000000000Z';
const step = (ID: string, Step: number, Name: string, more: Partial<BuildVertex> = {}): BuildLine => ({
  Vertex: { ID, Name, Step, Steps: 4, Started: at, ...more },
});
const log = (Vertex: string, Stream: 1 | 2, text: string): BuildLine => ({
  Log: { Vertex, Stream, Data: Buffer.from(text).toString('base64') },
});
const image = (digit: string) => `sha256:${digit.repeat(64)}`;

interface Sent {
  query?: string;
  body?: Buffer;
  headers?: Record<string, string>;
}

/** `POST /build` as it goes over the wire. */
async function post({ query = '', body = Buffer.alloc(0), headers = {} }: Sent) {
  const sent = ['-s', '-w', '\n%{http_code}', '--unix-socket', engine.socket, '-X', 'POST', '--data-binary', '@-'];
  const named = Object.entries({ 'Content-Type': 'application/x-tar', ...headers }).map(
    ([key, value]) => `-H${key}: ${value}`,
  );
  const child = promisify(execFile)('curl', [...sent, ...named, `http://engine/build?${query}`]);
  child.child.stdin?.on('error', () => {}).end(body);
  const { stdout } = await child;
  const at = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(at + 1)), text: stdout.slice(0, at) };
}

type Entry = { name: string; type?: 'symlink' | 'link' | 'character-device'; linkname?: string; content?: string };
async function tarOf(...entries: Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) archive.entry(header, content ?? '');
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
const dockerfile: Entry = { name: 'Dockerfile', content: 'FROM busybox\n' };

describe('the words of the classic builder', () => {
  test('are those of a stock engine, line by line', async () => {
    const container = 'c'.repeat(64);
    builder.script = async function* () {
      yield step('1', 1, 'FROM busybox');
      yield step('1', 1, 'FROM busybox', { Completed: at, Image: image('1') });
      yield step('2', 2, 'ENV A=1');
      yield step('2', 2, 'ENV A=1', { Completed: at, Cached: true, Image: image('2') });
      yield step('3', 3, 'RUN echo hi; echo err >&2');
      yield step('3', 3, 'RUN echo hi; echo err >&2', { Container: container });
      yield log('3', 2, 'err\n');
      yield log('3', 1, 'hi\n');
      yield step('3', 3, 'RUN echo hi; echo err >&2', { Container: container, Completed: at, Image: image('3') });
      yield step('4', 4, 'COPY a /a');
      yield step('4', 4, 'COPY a /a', { Completed: at, Image: busybox });
      yield { Warning: { Short: 'One or more build-args [ZZ] were not consumed' } };
      yield { Result: { Image: busybox } };
    };
    const { text, status } = await post({ query: 't=lines&t=lines:two', body: await tarOf(dockerfile) });
    const short = busybox.slice(7, 19);
    expect(status).toBe(200);
    expect(
      text
        .split('\r\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as object),
    ).toEqual([
      ...[{ stream: 'Step 1/4 : FROM busybox' }, { stream: '\n' }, { stream: ' ---> 111111111111\n' }],
      ...[{ stream: 'Step 2/4 : ENV A=1' }, { stream: '\n' }, { stream: ' ---> Using cache\n' }],
      ...[{ stream: ' ---> 222222222222\n' }, { stream: 'Step 3/4 : RUN echo hi; echo err >&2' }, { stream: '\n' }],
      ...[{ stream: ' ---> Running in cccccccccccc\n' }, { stream: '\u001b[91merr\n\u001b[0m' }, { stream: 'hi\n' }],
      ...[{ stream: ' ---> Removed intermediate container cccccccccccc\n' }, { stream: ' ---> 333333333333\n' }],
      ...[
        { stream: 'Step 4/4 : COPY a /a' },
        { stream: '\n' },
        { stream: ` ---> ${short}\n` },
        { aux: { ID: busybox } },
      ],
      { stream: '[Warning] One or more build-args [ZZ] were not consumed\n' },
      ...[{ stream: `Successfully built ${short}\n` }, { stream: 'Successfully tagged lines:latest\n' }],
      { stream: 'Successfully tagged lines:two\n' },
    ]);
    await ok('rmi', 'lines', 'lines:two');
  });

  test('tell one step after the other, whichever were at once; each stage has its ID', async () => {
    builder.script = async function* () {
      const [a, b] = [{ Stage: 'a' }, { Stage: 'b' }];
      yield step('1', 1, 'FROM busybox AS a', a);
      yield step('3', 3, 'FROM busybox AS b', b);
      yield step('3', 3, 'FROM busybox AS b', { ...b, Completed: at, Image: image('3') });
      yield step('4', 4, 'RUN b', b);
      yield log('4', 1, 'b says\n');
      yield step('1', 1, 'FROM busybox AS a', { ...a, Completed: at, Image: image('1') });
      yield step('4', 4, 'RUN b', { ...b, Completed: at, Image: image('4') });
      yield step('2', 2, 'RUN a', a);
      yield log('2', 1, 'a says\n');
      yield step('2', 2, 'RUN a', { ...a, Completed: at, Image: image('2') });
      yield { Result: { Image: busybox } };
    };
    const { text } = await post({ body: await tarOf(dockerfile) });
    const said = text.split('\r\n').flatMap((line) => {
      const { stream, aux } = JSON.parse(line || '{}') as { stream?: string; aux?: { ID: string } };
      return aux ? [`ID ${aux.ID.slice(7, 9)}`] : stream?.trim() ? [stream.trim()] : [];
    });
    expect(said.slice(0, -1)).toEqual([
      ...[
        'Step 1/4 : FROM busybox AS a',
        '---> 111111111111',
        'Step 2/4 : RUN a',
        'a says',
        '---> 222222222222',
        'ID 22',
      ],
      ...['Step 3/4 : FROM busybox AS b', '---> 333333333333', 'Step 4/4 : RUN b', 'b says', '---> 444444444444'],
      `ID ${busybox.slice(7, 9)}`,
    ]);
  });

  test('tell a failure with its exit code, and no more', async () => {
    const Message = "The command '/bin/sh -c exit 3' returned a non-zero code: 3";
    builder.script = async function* () {
      yield step('1', 1, 'RUN exit 3');
      yield { Error: { Message, Code: 3, Vertex: '1' } };
    };
    const { text, status } = await post({ body: await tarOf(dockerfile) });
    expect(status).toBe(200);
    expect(text.split('\r\n').at(-2)).toBe(
      JSON.stringify({ errorDetail: { code: 3, message: Message }, error: Message }),
    );
    expect(await docker('build', context)).toMatchObject({ code: 3, stderr: expect.stringContaining(Message) });
    // Quiet, what was said before comes with the failure.
    const quiet = await post({ query: 'q=1', body: await tarOf(dockerfile) });
    expect(quiet.text).toContain('"Step 1/4 : RUN exit 3"');
    builder.script = async function* () {
      yield { Error: { Message: 'dockerfile parse error on line 2: unknown instruction: FOO', Line: 2 } };
    };
    expect(await post({ body: await tarOf(dockerfile) })).toEqual({
      status: 400,
      text: '{"message":"dockerfile parse error on line 2: unknown instruction: FOO"}\n',
    });
  });

  test('with -q are the ID alone', async () => {
    expect(await docker('build', '-q', context)).toMatchObject({ code: 0, stdout: `${busybox}\n` });
  });
});

describe('an order', () => {
  test('has every option of docker build', async () => {
    const options = [
      ...['--build-arg=A=1', '--build-arg=UNKNOWN_HERE', '--label=l=v', '--target=prod', '--no-cache', '--pull'],
      ...['--network=none', '--add-host=db:192.0.2.1', '--ulimit=nofile=10:20', '--memory=64m', '--memory-swap=-1'],
      ...['--shm-size=32m', '--cpu-shares=7', '--cpu-period=1000', '--cpu-quota=2000', '--cpuset-cpus=0'],
      ...[
        '--cpuset-mems=0',
        '--cgroup-parent=/p',
        '--cache-from=one,two',
        '--rm=false',
        '--file',
        join(context, 'other'),
      ],
    ];
    writeFileSync(join(context, 'other'), 'FROM other\n');
    let text = '';
    builder.script = async function* ({ Dockerfile }) {
      text = readFileSync(Dockerfile, 'utf8');
      yield { Result: { Image: busybox } };
    };
    expect(await docker('build', '-t', 'a/b:c', ...options, context)).toMatchObject({ code: 0 });
    expect(text).toBe('FROM other\n');
    const [order] = builder.orders;
    expect(order).toMatchObject({
      ...{
        DockerfileName: 'other',
        BuildArgs: { A: '1' },
        Labels: { l: 'v' },
        Target: 'prod',
        NoCache: true,
        Pull: true,
      },
      ...{ Network: 'none', ExtraHosts: ['db:192.0.2.1'], Ulimits: [{ Name: 'nofile', Hard: 20, Soft: 10 }] },
      ...{
        Memory: 64 * 1024 ** 2,
        MemorySwap: -1,
        ShmSize: 32 * 1024 ** 2,
        CpuShares: 7,
        CpuPeriod: 1000,
        CpuQuota: 2000,
      },
      ...{ CpuSetCpus: '0', CpuSetMems: '0', CgroupParent: '/p', CacheFrom: ['one', 'two'], KeepContainers: true },
    });
    expect(existsSync(order?.Context ?? '')).toBe(false);
    await ok('rmi', 'a/b:c');
  });

  test('has the credentials that the client sent, by host', async () => {
    const config = {
      'https://index.docker.io/v1/': { username: 'me', password: 'x' },
      'r.test:5000': { auth: 'eA==' },
    };
    const headers = { 'X-Registry-Config': Buffer.from(JSON.stringify(config)).toString('base64url') };
    await post({ body: await tarOf(dockerfile), headers });
    expect(builder.orders[0]?.RegistryAuth).toEqual({
      'docker.io': { username: 'me', password: 'x' },
      'r.test:5000': { auth: 'eA==' },
    });
    await post({ body: await tarOf(dockerfile), headers: { 'X-Registry-Config': 'no JSON' } });
    expect(builder.orders[1]?.RegistryAuth).toBeUndefined();
  });

  const json = (value: unknown) => encodeURIComponent(JSON.stringify(value));
  test.each<[string, number, string]>([
    ['dockerfile=none', 500, 'Cannot locate specified Dockerfile: none'],
    ['dockerfile=../x', 500, 'forbidden path outside the build context: ../x ()'],
    ['dockerfile=empty', 400, 'the Dockerfile (empty) cannot be empty'],
    ['remote=foo', 500, 'remoteURL (foo) could not be recognized as URL'],
    ['remote=client-session', 400, 'experimental session with v1 builder is no longer supported'],
    ['version=3', 400, 'invalid version "3"'],
    ['squash=1', 400, 'squash is only supported with experimental mode'],
    ['isolation=hyperv', 400, 'unsupported isolation: "hyperv"'],
    ['securityopt=a', 400, 'security options are not supported on linux'],
    ['shmsize=x', 500, 'strconv.ParseInt: parsing "x": invalid syntax'],
    ['memory=x', 400, 'parsing "x": invalid syntax'],
    ['ulimits=x', 400, 'error reading ulimit settings: '],
    ['buildargs=x', 400, 'error reading build args: '],
    ['labels=x', 400, 'error reading labels: '],
    ['cachefrom=x', 400, 'error reading cache-from: '],
    ['outputs=x', 400, 'invalid outputs specified: '],
    [`outputs=${json([{ Type: 'tar' }])}`, 400, 'outputs are for BuildKit'],
    ['t=UP', 500, 'invalid reference format: repository name (library/UP) must be lowercase'],
    [`t=a@sha256:${'0'.repeat(64)}`, 500, 'build tag cannot contain a digest'],
  ])('%s is refused as by a stock engine, with %i', async (query, status, message) => {
    const answer = await post({ query, body: await tarOf(dockerfile, { name: 'empty' }) });
    expect(answer).toMatchObject({ status, text: expect.stringContaining(JSON.stringify(message).slice(1, -1)) });
    expect(builder.orders).toEqual([]);
    expect(contexts()).toEqual([]);
  });
});

describe('a context', () => {
  /** The files that the builder sees, and the Dockerfile. */
  async function seen(
    sent: Sent,
  ): Promise<{ files?: string[]; text?: string; answer: { status: number; text: string } }> {
    const saw: { files?: string[]; text?: string } = {};
    builder.script = async function* ({ Context, Dockerfile }) {
      saw.files = readdirSync(Context).sort();
      saw.text = readFileSync(Dockerfile, 'utf8');
      yield { Result: { Image: busybox } };
    };
    return { ...saw, answer: await post(sent), ...saw };
  }

  test.each(['gzip', 'bzip2', 'xz', 'zstd'])('comes packed by %s', async (method) => {
    const tar = await tarOf(dockerfile, { name: 'f', content: 'x' });
    const packing = promisify(execFile)(method, ['-c'], { encoding: 'buffer' });
    packing.child.stdin?.end(tar);
    expect(await seen({ body: (await packing).stdout })).toMatchObject({ files: ['Dockerfile', 'f'] });
  });

  test('has a Dockerfile in either spelling, unless .dockerignore says otherwise', async () => {
    expect(await seen({ body: await tarOf({ ...dockerfile, name: 'dockerfile' }) })).toMatchObject({
      text: 'FROM busybox\n',
    });
    const ignore = { name: '.dockerignore', content: 'Dockerfile\n.dockerignore\nother\n' };
    const body = await tarOf(dockerfile, ignore, { name: 'other' });
    expect(await seen({ body })).toMatchObject({ files: ['other'], text: 'FROM busybox\n' });
  });

  test('that is hostile gets nothing of this host', async () => {
    const place = await mkdtemp('/tmp/cleat-e2e-outside-');
    writeFileSync(join(place, 'secret'), 'of this host');
    try {
      const link = (name: string, linkname: string): Entry => ({ name, type: 'symlink', linkname });
      const refused: [string, Entry[], string?][] = [
        ['a link as the Dockerfile', [link('Dockerfile', join(place, 'secret'))]],
        ['a link to a file above', [link('Dockerfile', `../../../../../../..${place}/secret`)]],
        ['a directory that leads out', [link('d', place), { name: 'x' }], 'dockerfile=d/secret'],
        ['a device as the Dockerfile', [{ name: 'Dockerfile', type: 'character-device' }]],
        ['a name that leads out', [dockerfile, { name: '../../escaped', content: 'x' }]],
        ['a file through a link', [dockerfile, link('d', place), { name: 'd/escaped', content: 'x' }]],
        ['a hard link to a file outside', [dockerfile, { name: 'h', type: 'link', linkname: `..${place}/secret` }]],
        ['what is no archive', []],
      ];
      for (const [what, entries, query] of refused) {
        const body = entries.length > 0 ? await tarOf(...entries) : Buffer.from('x'.repeat(2000));
        const { answer } = await seen({ body, query: query ?? '' });
        expect({ what, status: answer.status >= 400 || answer.text }).toEqual({ what, status: true });
        expect(answer.text).not.toContain('of this host');
      }
      expect(readdirSync(place)).toEqual(['secret']);
      expect(readFileSync(join(place, 'secret'), 'utf8')).toBe('of this host');
      expect(builder.orders).toEqual([]);
      expect(contexts()).toEqual([]);
    } finally {
      await rm(place, { recursive: true });
    }
  });

  test('comes from a web server: an archive, or a Dockerfile', async () => {
    const { createServer } = await import('node:http');
    const tar = await tarOf(dockerfile, { name: 'web' });
    const answers: Record<string, [number, string, Buffer | string]> = {
      '/context.tar.gz': [200, 'application/octet-stream', gzipSync(tar)],
      '/context.tar': [200, 'application/x-tar', tar],
      '/Dockerfile': [200, 'text/plain; charset=utf-8', 'FROM web\n'],
      '/untyped': [200, '', 'FROM untyped\n'],
      '/page': [200, 'text/html', '<html>'],
      '/gone': [404, 'text/plain', 'no such thing'],
    };
    const server = createServer((request, response) => {
      const [status, type, body] = answers[request.url ?? ''] ?? [500, '', ''];
      response.writeHead(status, type ? { 'Content-Type': type } : {}).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const from = (path: string) => seen({ query: `remote=${encodeURIComponent(`http://127.0.0.1:${port}${path}`)}` });
    try {
      for (const path of ['/context.tar.gz', '/context.tar']) {
        expect(await from(path)).toMatchObject({ files: ['Dockerfile', 'web'], text: 'FROM busybox\n' });
      }
      expect(await from('/Dockerfile')).toMatchObject({ files: [], text: 'FROM web\n' });
      expect(await from('/untyped')).toMatchObject({ files: [], text: 'FROM untyped\n' });
      builder.orders.length = 0;
      expect((await from('/page')).answer).toMatchObject({ text: expect.stringContaining('unsupported Content-Type') });
      expect((await from('/gone')).answer).toMatchObject({
        status: 404,
        text: expect.stringContaining('no such thing'),
      });
      expect(builder.orders).toEqual([]);
    } finally {
      server.close();
    }
    expect(contexts()).toEqual([]);
  });

  test('comes from a git repository: a branch, a tag, a commit, a directory in it', async () => {
    const place = await mkdtemp('/tmp/cleat-e2e-git-');
    const repository = join(place, 'app.git');
    const git = async (...args: string[]) => {
      const identity = ['-c', 'user.name=n', '-c', 'user.email=e', '-c', 'init.defaultBranch=main'];
      return (await promisify(execFile)('git', [...identity, ...args], { cwd: repository })).stdout.trim();
    };
    mkdirSync(join(repository, 'sub'), { recursive: true });
    const commit = async (text: string) => {
      writeFileSync(join(repository, 'Dockerfile'), `FROM ${text}\n`);
      writeFileSync(join(repository, 'sub/Dockerfile'), `FROM sub-${text}\n`);
      await git('add', '.');
      await git('commit', '-q', '-m', text);
      return await git('rev-parse', 'HEAD');
    };
    let daemon: import('node:child_process').ChildProcess | undefined;
    try {
      await git('init', '-q');
      const first = await commit('first');
      await git('tag', 'v1');
      await git('checkout', '-q', '-b', 'work');
      await commit('second');
      await git('checkout', '-q', 'main');
      await git('config', 'uploadpack.allowAnySHA1InWant', 'true');
      const { freePort } = await import('./support/ports.js');
      const port = await freePort();
      const { spawn } = await import('node:child_process');
      daemon = spawn('/usr/lib/git-core/git-daemon', [
        ...['--reuseaddr', '--export-all', `--base-path=${place}`, '--listen=127.0.0.1', `--port=${port}`, place],
      ]);
      const url = `git://127.0.0.1:${port}/app.git`;
      const from = (fragment: string) => seen({ query: `remote=${encodeURIComponent(url + fragment)}` });
      // The daemon listens a little later.
      await expect.poll(async () => (await from('')).text, { timeout: 10_000 }).toBe('FROM first\n');
      expect(await from('#work')).toMatchObject({ text: 'FROM second\n', files: ['.git', 'Dockerfile', 'sub'] });
      expect(await from('#v1')).toMatchObject({ text: 'FROM first\n' });
      expect(await from(`#${first}`)).toMatchObject({ text: 'FROM first\n' });
      expect(await from('#work:sub')).toMatchObject({ text: 'FROM sub-second\n', files: ['Dockerfile'] });
      builder.orders.length = 0;
      for (const [fragment, why] of [
        ['#none', 'error fetching'],
        ['#work:none', 'not within git root'],
        ['#work:../..', 'not within git root'],
        ['#--upload-pack=touch /tmp/x', 'invalid'],
      ] as const) {
        expect((await from(fragment)).answer.text, fragment).toContain(why);
      }
      for (const hostile of ['git@-oProxyCommand=touch:x', 'ssh://-oProxyCommand=touch/x', `${place}/app.git`]) {
        expect((await seen({ query: `remote=${encodeURIComponent(hostile)}` })).answer.status).toBeGreaterThanOrEqual(
          400,
        );
      }
      expect(builder.orders).toEqual([]);
    } finally {
      daemon?.kill();
      await rm(place, { recursive: true });
    }
    expect(contexts()).toEqual([]);
  });
});

describe('build records', () => {
  /** A build of one RUN and a label; the image of the first is an intermediate one. */
  const twoSteps = () => {
    const made = { record: '', container: '' };
    builder.script = async function* (order) {
      const first = await ran(order, 'busybox', ['sh', '-c', 'echo 1 >/one'], { Cmd: ['cat', '/one'] });
      Object.assign(made, { record: first.image, container: first.container });
      builder.known.add(first.image);
      const second = await ran(order, first.image, ['sh', '-c', 'echo 2 >/two'], {
        Cmd: ['cat', '/two'],
        Labels: { a: 'b' },
      });
      yield { Result: { Image: second.image } };
    };
    return made;
  };

  test('are nobody else’s, until one is the result', async () => {
    const made = twoSteps();
    const before = await ok('images', '-aq', '--no-trunc');
    expect(await docker('build', '-t', 'two', context)).toMatchObject({ code: 0 });
    expect(await ok('run', '--rm', '--network=none', 'two')).toBe('2');
    const id = await ok('images', '-q', '--no-trunc', 'two');
    expect((await ok('images', '-aq', '--no-trunc')).split('\n').sort()).toEqual([...before.split('\n'), id].sort());
    expect(await ok('inspect', '-f', '{{.Parent}} {{.Config.Labels}} {{.Config.Cmd}}', 'two')).toBe(
      'map[a:b] [cat /two]',
    );
    expect((await ok('history', '--format', '{{.CreatedBy}}', 'two')).split('\n').slice(0, 2)).toEqual([
      'RUN sh -c echo 2 >/two',
      'RUN sh -c echo 1 >/one',
    ]);
    // As with the classic builder, a step can be looked into.
    expect(await ok('run', '--rm', '--network=none', made.record.slice(7, 19))).toBe('1');
    await ok('image', 'prune', '-f');
    expect(await ok('system', 'df', '--format', '{{.Type}} {{.TotalCount}}')).toContain('Build Cache 1');
    // Its containers have gone with the build.
    await expect.poll(() => ok('ps', '-aq')).toBe('');
    await ok('rmi', 'two');
    expect(await docker('builder', 'prune', '-af')).toMatchObject({ code: 0, stdout: expect.stringContaining('of-') });
    await expect.poll(() => ok('system', 'df', '--format', '{{.Type}} {{.TotalCount}}')).toContain('Build Cache 0');
  });

  test('that no builder knows are removed, and so are containers that it forgot', async () => {
    const made = twoSteps();
    const { script } = builder;
    builder.script = async function* (order, signal) {
      yield step('1', 1, 'RUN');
      for await (const line of script(order, signal)) if (!line.Result) yield line;
      builder.known.clear();
      yield { Error: { Message: 'it failed' } };
    };
    expect(await docker('build', context)).toMatchObject({ code: 1 });
    await expect.poll(() => ok('ps', '-aq')).toBe('');
    await expect.poll(async () => (await docker('run', '--rm', made.record)).code).toBe(125);
    expect(contexts()).toEqual([]);
  });

  test('are removed after the next build of a builder that did not say which it knows', async () => {
    const made = twoSteps();
    const { script } = builder;
    builder.script = async function* (order, signal) {
      for await (const line of script(order, signal)) if (!line.Result) yield line;
      builder.known.clear();
      builder.isSecretive = true;
      yield { Error: { Message: 'it failed' } };
    };
    expect(await docker('build', context)).toMatchObject({ code: 1 });
    await expect.poll(() => ok('ps', '-aq')).toBe('');
    await expect.poll(() => engine.log()).toContain('does not say what it keeps: not now');
    expect(await ok('run', '--rm', '--network=none', made.record)).toBe('1');
    builder.isSecretive = false;
    builder.script = async function* () {
      yield { Result: { Image: busybox } };
    };
    expect(await docker('build', context)).toMatchObject({ code: 0 });
    // Not by running it: what a container uses stays.
    await expect.poll(() => ok('system', 'df', '--format', '{{.Type}} {{.TotalCount}}')).toContain('Build Cache 0');
    expect(await docker('run', '--rm', made.record)).toMatchObject({ code: 125 });
  });

  test('a build that is cancelled, or whose engine was killed, leaves nothing', async () => {
    let ended = 0;
    let container = '';
    builder.script = async function* (order, signal) {
      yield step('1', 1, 'RUN sleep');
      const made = await askEngine<{ Id: string }>(order, 'POST', '/containers/create', {
        Image: 'busybox',
        Cmd: ['sleep', '1000'],
      });
      container = made.value.Id;
      await askEngine(order, 'POST', `/containers/${container}/start`);
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (signal.aborted) resolve();
      });
      ended++;
    };
    const building = (): { stop: AbortController; over: Promise<unknown> } => {
      container = '';
      const stop = new AbortController();
      const args = ['-H', `unix://${engine.socket}`, 'build', context];
      const over = promisify(execFile)('docker', args, {
        env: { ...process.env, ...classic },
        signal: stop.signal,
        killSignal: 'SIGINT',
      });
      return { stop, over: over.catch(() => {}) };
    };
    const first = building();
    await expect.poll(() => ok('ps', '-q', '--no-trunc'), { timeout: 10_000 }).toMatch(/^[0-9a-f]{64}$/);
    first.stop.abort();
    await first.over;
    await expect.poll(() => ended, { timeout: 10_000 }).toBe(1);
    await expect.poll(() => ok('ps', '-aq'), { timeout: 10_000 }).toBe('');
    await expect.poll(contexts).toEqual([]);
    const second = building();
    await expect.poll(() => ok('ps', '-q', '--no-trunc'), { timeout: 10_000 }).toMatch(/^[0-9a-f]{64}$/);
    await engine.kill('SIGKILL');
    await second.over;
    await engine.restart();
    expect(await ok('ps', '-aq')).toBe('');
    expect(contexts()).toEqual([]);
    builder.script = async function* () {
      yield { Result: { Image: busybox } };
    };
    expect(await docker('build', context)).toMatchObject({ code: 0 });
  });

  test('POST /build/cancel ends the build of that ID', async () => {
    builder.script = async function* (_, signal) {
      yield step('1', 1, 'RUN sleep');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    };
    const answer = post({ query: 'buildid=mine', body: await tarOf(dockerfile) });
    await expect.poll(() => builder.orders.length).toBe(1);
    expect(await engine.api('POST', '/build/cancel?id=mine')).toMatchObject({ status: 204 });
    expect((await answer).text).toContain('build cancelled');
    expect(await engine.api('POST', '/build/cancel')).toMatchObject({ status: 400 });
  });

  test('events are those of a stock engine', async () => {
    const since = String(Math.floor(Date.now() / 1000));
    twoSteps();
    await docker('build', '-t', 'told', context);
    await ok('builder', 'prune', '-af');
    const told = await ok(
      'events',
      '--since',
      since,
      '--until',
      (Date.now() / 1000).toFixed(3),
      '--format',
      '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}',
    );
    const lines = told.split('\n').filter((line) => /^(image|builder)|commit/.test(line));
    expect(lines).toEqual(['image tag told:latest', 'builder prune <no value>']);
    await ok('rmi', 'told');
  });

  test('prune hands on what it is asked, and refuses a filter that nobody knows', async () => {
    expect(await docker('builder', 'prune', '-f', '--filter', 'until=24h', '--keep-storage', '1GB')).toMatchObject({
      code: 0,
    });
    expect(builder.prunes).toEqual([
      expect.objectContaining({ All: false, Filters: { until: ['24h'] }, ReservedSpace: 1024 ** 3 }),
    ]);
    const { code, stderr } = await docker('builder', 'prune', '-f', '--filter', 'colour=red');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("invalid filter 'colour'") });
  });
});

describe('other clients', () => {
  const scratch = () => mkdtemp(join(context, 'client-'));
  const environment = () => ({ ...process.env, DOCKER_HOST: `unix://${engine.socket}`, DOCKER_BUILDKIT: '0' });

  test('dockerode builds', async () => {
    const client = new Docker({ socketPath: engine.socket });
    const stream = await client.buildImage(
      { context, src: ['Dockerfile', 'file'] },
      { t: 'rode', buildargs: { A: '1' } },
    );
    const lines = await new Promise<object[]>((resolve, reject) =>
      client.modem.followProgress(stream, (error, all: object[]) => (error ? reject(error) : resolve(all))),
    );
    expect(lines.at(-1)).toEqual({ stream: 'Successfully tagged rode:latest\n' });
    await ok('rmi', 'rode');
  });

  test('docker-py builds, and says why it failed', async () => {
    const script = [
      'import docker',
      'c = docker.from_env()',
      "image, log = c.images.build(path='.', tag='py', buildargs={'A': '1'}, extra_hosts={'db': '192.0.2.1'}, rm=True)",
      'print(image.id)',
      "import io; print(c.images.build(fileobj=io.BytesIO(b'FROM busybox'))[0].id)",
    ].join('\n');
    const { stdout } = await promisify(execFile)('python3', ['-c', script], { cwd: context, env: environment() });
    expect(stdout).toBe(`${busybox}\n${busybox}\n`);
    expect(builder.orders[0]).toMatchObject({ ExtraHosts: ['db:192.0.2.1'], BuildArgs: { A: '1' } });
    builder.script = async function* () {
      yield step('1', 1, 'RUN');
      yield { Error: { Message: 'it failed', Code: 2 } };
    };
    await expect(promisify(execFile)('python3', ['-c', script], { cwd: context, env: environment() })).rejects.toThrow(
      'it failed',
    );
    await ok('rmi', 'py');
  });

  test('Compose 1.29 builds', async () => {
    const place = await scratch();
    writeFileSync(join(place, 'Dockerfile'), 'FROM busybox\n');
    const services =
      "version: '3.4'\nservices:\n  web:\n    image: composed\n    build: {context: ., target: prod, args: {A: '1'}}\n";
    writeFileSync(join(place, 'docker-compose.yml'), services);
    await promisify(execFile)('docker-compose', ['build'], { cwd: place, env: environment() });
    expect(builder.orders[0]).toMatchObject({ Target: 'prod', BuildArgs: { A: '1' } });
    await ok('rmi', 'composed');
  });
});
