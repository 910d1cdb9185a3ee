import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@cleat/protocol/log';
import { defineExtension, hookKind, implement, serve } from '@cleat/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from '../support/client.js';
import { type Engine, startEngine } from '../support/engine.js';
import { Program } from '../support/program.js';
import { Registry } from '../support/registry.js';
import { runShell } from '../support/shell.js';

/** The examples of request hooks, in one chain: an owner and limits for all containers, and a mirror for their images. */
const place = (path: string) => fileURLToPath(new URL(`../../../examples/${path}`, import.meta.url));

let scratch: string;
let hooks: string;
let engine: Engine;
let registry: Registry;
const programs: Program[] = [];
const { ok, refused } = clientOf(() => engine);

beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-hooks-');
  hooks = join(scratch, 'hooks.yaml');
  const files = await Promise.all(
    ['owner-and-limits', 'image-mirror'].map((name) => readFile(place(`${name}/hooks.yaml`), 'utf8')),
  );
  await writeFile(hooks, files.join('').replace(/(?!^)hooks:\n/, ''));
  registry = await Registry.start();
  engine = await startEngine({ config: { hooks }, flags: [`--plugin-dir=${scratch}`], busybox: false });
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  for (const program of programs) await program[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

async function start(name: string, ...args: string[]): Promise<Program> {
  const socket = join(scratch, `${name}.sock`);
  const program = new Program(process.execPath, [place(`${name}/dist/main.js`), '--socket', socket, ...args]);
  programs.push(program);
  await program.made(socket);
  return program;
}

const cleat = (text: string) => runShell(text, scratch, { DOCKER_HOST: `unix://${engine.socket}` });

test('until its hook is there, nothing is created; the rest goes on, and says why', async () => {
  expect(await refused('create', 'busybox')).toContain('request hook owner-and-limits failed');
  expect(await ok('ps', '-aq')).toBe('');
  expect(await cleat('cleat hooks')).toMatch(/owner-and-limits +not known yet .*closed/);
  await start('owner-and-limits', '--memory', '64', '--cpus', '0.5');
  await start('image-mirror', '--mirror', registry.host);
});

test('busybox comes from the mirror', async () => {
  const { busyboxTar } = await import('../support/busybox.js');
  const mirrored = `${registry.host}/library/busybox`;
  expect(await engine.docker('import', '-', mirrored, { input: await busyboxTar() })).toMatchObject({ code: 0 });
  await ok('push', mirrored);
  await ok('rmi', mirrored);
  expect(await ok('run', '--rm', '--network=none', 'busybox', 'echo', 'mirrored')).toBe('mirrored');
  expect(await ok('images', '--format', '{{.Repository}}')).toBe(mirrored);
});

test('a container has its maker’s name, and limits that no update raises', async () => {
  const label = '--label=com.cleat.owner=somebody-else';
  await ok(
    'run',
    '-d',
    '--name=greedy',
    '--network=none',
    label,
    '--memory=1g',
    '--memory-swap=-1',
    'busybox',
    'sleep',
    '1000',
  );
  const limits = () =>
    ok('inspect', '-f', '{{json .Config.Labels}} {{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}', 'greedy');
  expect(await limits()).toBe(`{"com.cleat.owner":"unix:root"} ${64 * 1024 * 1024} 500000000`);
  await ok('update', '--memory=100g', '--memory-swap=-1', 'greedy');
  expect(await limits()).toContain(` ${64 * 1024 * 1024} `);
  const limit = await ok(
    'exec',
    'greedy',
    'sh',
    '-c',
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true',
  );
  expect(limit === '' || limit.includes(`${64 * 1024 * 1024}`)).toBe(true);
  await ok('rm', '-f', 'greedy');
});

test('a trace says which hook changed what', async () => {
  const trace = await cleat('cleat hooks trace --route /containers/create --tail 1');
  expect(trace).toMatch(/POST \/containers\/create \(root, process \d+\): passed, answer 201/);
  expect(trace).toContain('Body.Labels["com.cleat.owner"]: "somebody-else" → "unix:root"');
  expect(trace).toContain('Body.Image: "busybox" → ');
  const [line = ''] = (await cleat('cleat hooks trace --json --tail 1')).split('\n');
  expect(JSON.parse(line)).toMatchObject({ Decision: 'passed', Route: '/containers/*/update' });
});

test('a request is tried without being done', async () => {
  await writeFile(
    join(scratch, 'request.json'),
    JSON.stringify({
      Method: 'POST',
      URL: '/v1.41/containers/create?name=tried',
      Body: { Image: 'busybox', Env: ['DB_PASSWORD=hunter2'] },
      Caller: { Method: 'unix', User: 'alice', Within: 'host' },
    }),
  );
  const tried = await cleat(`cleat hooks test ${join(scratch, 'request.json')}`);
  expect(tried).toContain('"com.cleat.owner": "unix:alice"');
  expect(tried).toContain(`"Image": "${registry.host}/library/busybox"`);
  expect(tried).not.toContain('hunter2');
  expect(await ok('ps', '-aq')).toBe('');
});

test('a hook in the way of every byte changes nothing for clients', async () => {
  let bytes = 0;
  async function* passed(body: AsyncIterable<Uint8Array> | undefined) {
    for await (const piece of body ?? []) {
      bytes += piece.length;
      yield piece;
    }
  }
  const hook = defineExtension({
    start: () => ({
      implementations: [
        implement(hookKind, {
          Capabilities: () => ({ Request: 'stream', Response: 'stream' }),
          Request: () => ({}),
          Response: () => ({}),
          RequestStream: (_, { body }) => passed(body),
          ResponseStream: (_, { body }) => passed(body),
        }),
      ],
    }),
  });
  await using _served = await serve(hook, {
    name: 'through',
    socket: join(scratch, 'through.sock'),
    log: silentLogger,
  });
  const before = await readFile(hooks, 'utf8');
  await writeFile(hooks, 'hooks: [{name: through}]');
  process.kill(engine.pid, 'SIGHUP');
  await expect.poll(() => cleat('cleat hooks')).toContain('request stream, response stream');
  const image = `${registry.host}/library/busybox`;
  const archive = join(scratch, 'image.tar');
  await ok('save', '-o', archive, image);
  await ok('load', '-i', archive);
  await writeFile(join(scratch, 'Dockerfile'), `FROM ${image}\nCOPY image.tar /image.tar\n`);
  expect(await engine.docker('build', '-q', '-t', 'built', scratch, { env: { DOCKER_BUILDKIT: '0' } })).toMatchObject({
    code: 0,
  });
  await ok('run', '-d', '--name=talker', '--network=none', 'built', 'sh', '-c', 'cat; echo said; sleep 1000');
  await expect.poll(() => ok('logs', 'talker')).toBe('said');
  expect(await ok('exec', 'talker', 'stat', '-c', '%s', '/image.tar')).toBe(`${(await stat(archive)).size}`);
  expect(await engine.docker('exec', '-i', 'talker', 'cat', { input: 'typed' })).toMatchObject({
    code: 0,
    stdout: 'typed',
  });
  await ok('cp', archive, 'talker:/copied.tar');
  await ok('cp', 'talker:/copied.tar', join(scratch, 'back.tar'));
  expect((await readFile(join(scratch, 'back.tar'))).equals(await readFile(archive))).toBe(true);
  expect(bytes).toBeGreaterThan(4 * (await stat(archive)).size);
  await ok('rm', '-f', 'talker');
  await ok('rmi', 'built');
  await writeFile(hooks, before);
  process.kill(engine.pid, 'SIGHUP');
  await expect.poll(() => cleat('cleat hooks')).toContain('owner-and-limits');
});

test('SIGHUP takes another file, and keeps the chain when that is wrong', async () => {
  const before = await readFile(hooks, 'utf8');
  await writeFile(hooks, before.replace('wins:', 'win:'));
  process.kill(engine.pid, 'SIGHUP');
  await expect
    .poll(() => engine.log())
    .toMatch(/configuration was not changed.*hooks.yaml:6: there is no setting .*win/);
  await ok('create', '--name=still', '--network=none', 'busybox', 'true');
  expect(await ok('inspect', '-f', '{{.HostConfig.Memory}}', 'still')).toBe(`${64 * 1024 * 1024}`);
  await writeFile(hooks, 'hooks: []');
  process.kill(engine.pid, 'SIGHUP');
  await expect.poll(() => cleat('cleat hooks')).toContain('has no request hooks');
  await ok('create', '--name=free', '--network=none', `${registry.host}/library/busybox`, 'true');
  expect(await ok('inspect', '-f', '{{.HostConfig.Memory}}', 'free')).toBe('0');
  await ok('rm', 'still', 'free');
});

test('a file that is wrong is a refused start, and --validate says so', async () => {
  await writeFile(hooks, 'hooks: [{name: a, match: [{routes: [/containers/crate]}]}]');
  const said = await cleat(`cleatd --validate --config-file ${join(engine.directory, 'daemon.json')} || echo refused`);
  expect(said).toMatch(
    /"hooks" in .*daemon.json: .*hooks.yaml: hook a: the API has no route \/containers\/crate .*refused/s,
  );
});
