import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unmountAll } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { isListening } from './support/example-program.js';
import { Program } from './support/program.js';

/** examples/shared-mount: one mount for all volumes, and two containers that use one volume as different users. */
let engine: Engine;
let scratch: string;
let device: string;
let root: string;
const { ok, refused } = clientOf(() => engine);

beforeEach(async () => {
  scratch = await mkdtemp('/tmp/cleat-e2e-shared-');
  [device, root] = [join(scratch, 'device'), join(scratch, 'mounts')];
  await mkdir(device);
  engine = await startEngine();
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
  unmountAll(scratch);
  await rm(scratch, { recursive: true, force: true });
});

const main = fileURLToPath(new URL('../../examples/shared-mount/dist/main.js', import.meta.url));

async function startPlugin(): Promise<Program> {
  const socket = join(engine.pluginDirectory, 'shared-mount.sock');
  const program = new Program(process.execPath, [main, '--socket', socket, '--device', device, '--root', root]);
  // A killed one leaves its socket behind, so that the socket tells nothing.
  await expect.poll(() => program.ended || isListening(socket)).toBe(true);
  return program;
}

const mounted = () => listMounts(scratch).map(({ target }) => target);
const fixed = () => mounted().filter((target) => target.startsWith(`${root}/users/`)).length;
const owner = async (path: string) => {
  const { uid, gid } = await stat(join(device, path));
  return `${uid}:${gid}`;
};
/** The volume `team/data` at /d. */
const volume = (...options: string[]) => [
  'type=volume',
  'src=team/data',
  'dst=/d',
  ...options.map((option) => `volume-opt=${option}`),
];
const start = (name: string, options: string[], ...flags: string[]) =>
  ok(
    'run',
    '-d',
    '--name',
    name,
    '--network=none',
    `--mount=${volume(...options)}`,
    ...flags,
    'busybox',
    'sleep',
    '1000',
  );
const inside = (name: string, script: string) => ok('exec', name, 'sh', '-c', script);

test('two containers use one volume as different users, through kills of the plugin and of the engine', async () => {
  const plugin = await startPlugin();
  await ok('volume', 'create', '--driver=shared-mount', 'team/data');
  await start('alice', ['as=1001']);
  await start('bob', ['as=1002:1003'], '--user=33:34');
  await start('plain', []);
  const write = async (file: string) => {
    for (const name of ['alice', 'bob', 'plain']) await inside(name, `echo ${name} > /d/${name}-${file}`);
    expect(await owner(`team%2Fdata/alice-${file}`)).toBe('1001:1001');
    expect(await owner(`team%2Fdata/bob-${file}`)).toBe('1002:1003');
    expect(await owner(`team%2Fdata/plain-${file}`)).toBe('0:0');
  };
  await write('first');
  const seen = (name: string) => inside(name, `stat -c '%u:%g' /d/alice-first /d/bob-first`);
  expect(await seen('alice')).toBe('0:0\n65534:65534');
  expect(await seen('bob')).toBe('65534:65534\n33:34');
  expect(await seen('plain')).toBe('1001:1001\n1002:1003');
  // Though this one is root in its container.
  expect(await refused('exec', 'alice', 'sh', '-c', 'echo > /d/bob-first')).toContain('Permission denied');
  expect(await refused('exec', 'alice', 'rm', '-f', '/d/bob-first')).toContain("can't remove");
  expect(await inside('alice', 'cat /d/bob-first')).toBe('bob');
  expect(fixed()).toBe(2);

  await plugin.end('SIGKILL');
  await write('while-the-plugin-is-away');
  await engine.kill('SIGKILL');
  await engine.restart();
  await using second = await startPlugin();
  await write('after-both-were-killed');
  expect(mounted()).toHaveLength(3);
  await ok('restart', '-t0', 'alice');
  expect(fixed()).toBe(2);
  await write('after-a-restart');

  await ok('rm', '-f', 'alice');
  expect(fixed()).toBe(1);
  // The engine is not there when bob ends, and the plugin not when the engine comes back.
  await engine.kill('SIGKILL');
  await second.end('SIGKILL');
  await engine.restart();
  await ok('rm', '-f', 'bob', 'plain');
  await using third = await startPlugin();
  await expect.poll(() => mounted()).toEqual([join(root, 'all')]);
  await ok('volume', 'rm', 'team/data');
  expect(await readdir(device)).toEqual(['.shared-mount']);
  await third.end('SIGTERM');
  expect(mounted()).toEqual([]);
});

test('ten volumes in use are one mount on the host', async () => {
  await using plugin = await startPlugin();
  const names = Array.from({ length: 10 }, (_, at) => `team/v${at}`);
  const mounts = names.map((name, at) => `--volume=${name}:/v${at}`);
  const flags = ['--network=none', '--volume-driver=shared-mount', ...mounts];
  await ok(
    'run',
    '-d',
    '--name=all',
    ...flags,
    'busybox',
    'sh',
    '-c',
    'for at in /v*; do echo $at > $at/f; done; sleep 1000',
  );
  expect(mounted()).toEqual([join(root, 'all')]);
  expect((await ok('volume', 'ls', '-q', '--filter=driver=shared-mount')).split('\n')).toEqual(names);
  expect(await ok('volume', 'inspect', '-f', '{{.Scope}}', 'team/v3')).toBe('global');
  expect(engine.log()).not.toContain('MaxListenersExceededWarning');
  await ok('rm', '-f', 'all');
  await ok('volume', 'rm', ...names);
  await plugin.end('SIGTERM');
  expect(mounted()).toEqual([]);
});

test('an image’s files at the mount are not copied as another user: the error says why, nocopy helps', async () => {
  await using _plugin = await startPlugin();
  await ok('volume', 'create', '--driver=shared-mount', 'team/data');
  const run = (...more: string[]) => {
    const at = ['type=volume', 'src=team/data', 'dst=/usr', 'volume-opt=as=1001', ...more];
    return ['run', '--rm', '--network=none', '--user=33:34', `--mount=${at}`, 'busybox', 'touch', '/usr/mine'];
  };
  expect(await refused(...run())).toContain('/usr: mkdir bin: value too large for defined data type');
  expect(await readdir(join(device, 'team%2Fdata'))).toEqual([]);
  await ok(...run('volume-nocopy'));
  expect(await owner('team%2Fdata/mine')).toBe('1001:1001');
  expect(mounted()).toEqual([join(root, 'all')]);
});

test('docker cp into a container that does not run stores files as those of its fixed user', async () => {
  await using _plugin = await startPlugin();
  await ok('volume', 'create', '--driver=shared-mount', 'team/data');
  await ok('create', '--name=still', '--network=none', `--mount=${volume('as=1001')}`, 'busybox', 'true');
  await writeFile(join(scratch, 'file'), 'copied');
  await ok('cp', join(scratch, 'file'), 'still:/d/file');
  expect(await owner('team%2Fdata/file')).toBe('1001:1001');
  expect(mounted()).toEqual([join(root, 'all')]);
});
