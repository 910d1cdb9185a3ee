import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { hasNewerClients, newerClientsIn } from './support/newer-clients.js';

/** Clients that build, unchanged, by the engine's own builder; `buildx.test.ts` has buildx, bake and Compose v2. */
let engine: Engine;
let work: string;
/** A configuration of the docker CLI without plugins, and one with buildx. */
let plain: string;
let newer: string;
beforeAll(async () => {
  engine = await startEngine();
  work = join(engine.directory, 'work');
  plain = join(engine.directory, 'plain');
  for (const path of [work, plain]) mkdirSync(path);
  newer = hasNewerClients ? newerClientsIn(engine.directory) : plain;
});
afterAll(() => engine?.[Symbol.asyncDispose]());
afterEach(() => removeAll(engine));
const { ok } = clientOf(() => engine);

/** A directory with these files. @returns its path */
function project(name: string, files: Record<string, string>): string {
  const directory = join(work, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

/** Variables of a client: this engine, and nothing of the users of this host. */
const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
  const { DOCKER_CONTEXT: _context, ...env } = process.env;
  const own = { DOCKER_HOST: `unix://${engine.socket}`, DOCKER_CONFIG: plain, HOME: work };
  return { ...env, ...own, TESTCONTAINERS_RYUK_DISABLED: 'true', NO_COLOR: '1', ...more };
};

async function run(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { cwd = work, env } = options;
  return await promisify(execFile)(command, args, { cwd, env: environment(env), timeout: 240_000 });
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = (path: string): string => join(root, path);

const site = (flags: string): string =>
  [
    'FROM busybox AS app',
    'ARG WORD=none',
    `RUN ${flags} mkdir /www && echo "$WORD" >/www/index.html`,
    'COPY more /www/',
    'CMD ["httpd", "-f", "-p", "80", "-h", "/www"]',
    'FROM busybox',
    'RUN false',
  ].join('\n');

describe('Testcontainers', () => {
  test.each([
    ['the classic builder', ''],
    ['BuildKit', '--mount=type=cache,target=/cache'],
  ])('builds by %s, and runs what it has built', async (how, flags) => {
    const context = project('site', { Dockerfile: site(flags), more: '' });
    const script = program('test/e2e/build/programs/testcontainers.mjs');
    const { stdout } = await run('node', [script, context, 'Dockerfile', how]);
    expect(stdout).toBe('said\n');
    await ok('rmi', 'contained:1');
  });
});

describe('dockerode', () => {
  test('builds by BuildKit, and reads its progress', async () => {
    const context = project('rode', { Dockerfile: site('--mount=type=tmpfs,target=/t'), more: '' });
    const client = new Docker({ socketPath: engine.socket });
    const options = { t: 'rode:1', version: '2', target: 'app', buildargs: { WORD: 'x' } } as const;
    const stream = await client.buildImage({ context, src: ['Dockerfile', 'more'] }, options);
    const lines: unknown[] = [];
    for await (const line of textLines(stream)) lines.push(JSON.parse(line));
    const id = await ok('inspect', '-f', '{{.Id}}', 'rode:1');
    expect(lines.at(-1)).toEqual({ id: 'moby.image.id', aux: { ID: id } });
    expect(await ok('run', '--rm', 'rode:1', 'cat', '/www/index.html')).toBe('x');
    await ok('rmi', 'rode:1');
  });
});

async function* textLines(stream: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line.trim() !== '');
  }
}

test('docker-py builds from a directory, from an archive and from a file, and says where it failed', async () => {
  project('py', { 'app/Dockerfile': site(''), 'app/more': 'more', 'app/.dockerignore': 'left\n', 'app/left': '' });
  const script = `
import docker, io, tarfile
client = docker.from_env()
image, log = client.images.build(path='app', tag='py:1', target='app', buildargs={'WORD': 'py'}, rm=True, labels={'l': 'v'})
print(image.tags, image.labels, [line['stream'].strip() for line in log if 'Successfully' in line.get('stream', '')][-1])
print(client.containers.run('py:1', ['cat', '/www/index.html', '/www/more'], remove=True).decode())
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode='w:gz') as tar:
    for name in ('Dockerfile', 'more'): tar.add('app/' + name, name)
archive.seek(0)
print(client.images.build(fileobj=archive, custom_context=True, encoding='gzip', target='app', buildargs={'WORD': 'py'}, labels={'l': 'v'})[0].id == image.id)
try: client.images.build(fileobj=io.BytesIO(b'FROM busybox\\nRUN echo the reason; exit 3'))
except docker.errors.BuildError as error: print(error.msg, [line['stream'] for line in error.build_log if 'reason' in line.get('stream', '')])
print([line['stream'] for line in client.api.build(path='app', target='app', buildargs={'WORD': 'py'}, decode=True) if 'cache' in line.get('stream', '')])
client.images.remove('py:1')
`;
  const { stdout } = await run('python3', ['-c', script], { cwd: join(work, 'py') });
  expect(stdout.split('\n')).toEqual([
    "['py:1'] {'l': 'v'} Successfully tagged py:1",
    'py',
    'more',
    'True',
    "The command '/bin/sh -c echo the reason; exit 3' returned a non-zero code: 3 ['Step 2/2 : RUN echo the reason; exit 3', 'the reason\\n']",
    "[' ---> Using cache\\n', ' ---> Using cache\\n', ' ---> Using cache\\n', ' ---> Using cache\\n']",
    '',
  ]);
});

test('Compose 1.29 builds what it brings up, and builds again what has changed', async () => {
  const cwd = project('old', {
    'docker-compose.yml': `
version: '3.4'
services:
  web:
    build: {context: ., target: app, args: {WORD: compose}, labels: {l: v}}
    command: cat /www/index.html /www/more
`,
    Dockerfile: site(''),
    more: 'one',
  });
  const up = () => run('docker-compose', ['up', '--build', '--no-color'], { cwd });
  expect((await up()).stdout).toMatch(/web_1\s+\| compose\n.*web_1\s+\| one/s);
  writeFileSync(join(cwd, 'more'), 'two');
  expect((await up()).stdout).toMatch(/web_1\s+\| compose\n.*web_1\s+\| two/s);
  await run('docker-compose', ['down', '--rmi', 'local'], { cwd });
});

describe.skipIf(!hasNewerClients)('Compose v2', () => {
  test('watches: a file is copied, and an image built again', async () => {
    const cwd = project('watched', {
      'compose.yaml': `
services:
  web:
    build: .
    init: true
    command: sleep 1000
    develop:
      watch:
        - {action: sync, path: ./files, target: /files}
        - {action: rebuild, path: ./said}
`,
      Dockerfile: 'FROM busybox\nCOPY said /\nCOPY files /files\n',
      said: 'first',
      'files/f': 'first',
    });
    const env = environment({ DOCKER_CONFIG: newer });
    const compose = (...args: string[]) => run('docker', ['compose', ...args], { cwd, env });
    const watching = spawn('docker', ['compose', 'watch'], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let told = '';
    for (const stream of [watching.stdout, watching.stderr]) stream.on('data', (chunk: Buffer) => (told += chunk));
    try {
      await expect.poll(() => told).toMatch(/Watch enabled|watching/i);
      const shown = async () => {
        const { stdout } = await compose('exec', '-T', 'web', 'cat', '/said', '/files/f').catch(() => ({ stdout: '' }));
        return stdout;
      };
      expect(await shown()).toBe('firstfirst');
      writeFileSync(join(cwd, 'files/f'), 'second');
      await expect.poll(shown).toBe('firstsecond');
      writeFileSync(join(cwd, 'said'), 'third');
      await expect.poll(shown).toBe('thirdsecond');
    } finally {
      watching.kill('SIGINT');
      await once(watching, 'close');
      await compose('down', '-t', '0', '--rmi', 'local');
    }
  });
});

describe('A development container', () => {
  const files = {
    '.devcontainer/devcontainer.json': JSON.stringify({
      name: 'pier',
      build: { dockerfile: 'Dockerfile', args: { WORD: 'said' } },
      features: { './hello': { greeting: 'ahoy' } },
      containerEnv: { FROM_CONFIG: 'yes' },
      postCreateCommand: 'echo "$FROM_CONFIG $(cat /said /greeting)" >created',
      remoteUser: 'root',
    }),
    '.devcontainer/Dockerfile': 'FROM busybox\nARG WORD=none\nRUN echo $WORD >/said\n',
    '.devcontainer/hello/devcontainer-feature.json': JSON.stringify({
      id: 'hello',
      version: '1.0.0',
      name: 'Hello',
      options: { greeting: { type: 'string', default: 'hi' } },
    }),
    '.devcontainer/hello/install.sh': '#!/bin/sh\nset -e\necho "$GREETING" >/greeting\n',
  };
  const ways: [string, () => string][] = [
    ['the classic builder', () => plain],
    ...(hasNewerClients ? ([['buildx', () => newer]] as [string, () => string][]) : []),
  ];
  test.each(ways)('comes up by %s, with its Dockerfile and a feature', async (way, config) => {
    const folder = project(`dev-by-${way.replaceAll(' ', '-')}`, files);
    const cli = program('node_modules/.bin/devcontainer');
    const { stdout } = await run(cli, ['up', '--workspace-folder', folder], { env: { DOCKER_CONFIG: config() } });
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'success', remoteUser: 'root' });
    expect(readFileSync(join(folder, 'created'), 'utf8')).toBe('yes said\nahoy\n');
  });
});
