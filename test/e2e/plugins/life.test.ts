import { mkdir, mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '@cleat/linux/process/run';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answering } from '../support/answers.js';
import { clientOf } from '../support/client.js';
import { checkout } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { managedPlugin } from '../support/managed-plugin.js';
import { Registry } from '../support/registry.js';

/** The lives of managed plugins of several kinds, told by the stock client. */
let engine: Engine;
let registry: Registry;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp('/tmp/cleat-life-');
  [engine, registry] = await Promise.all([startEngine(), Registry.start()]);
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
const { ok, refused } = clientOf(() => engine);

interface Shown {
  Enabled: boolean;
  Cleat: { State: string; Reason: string; Restarts: number; Pid: number };
}
const inspect = async (name: string) => (JSON.parse(await ok('plugin', 'inspect', name)) as [Shown])[0];
const interfaceOf = (type: string) => ({ interface: { types: [type], socket: 'p.sock' } });

test('one package under two names is two plugins, each with its own settings and data', async () => {
  const place = managedPlugin(directory);
  const name = `${registry.host}/team/volumes`;
  await ok('plugin', 'create', name, place);
  await ok('plugin', 'push', name);
  await ok('plugin', 'rm', name);
  for (const alias of ['one', 'two']) {
    await ok('plugin', 'install', '--grant-all-permissions', '--alias', alias, name);
    await ok('volume', 'create', '-d', alias, `of-${alias}`);
    expect(await ok('volume', 'inspect', '--format', '{{.Driver}}', `of-${alias}`)).toBe(`${alias}:latest`);
  }
  expect(await refused('plugin', 'install', '--grant-all-permissions', '--alias', 'one', name)).toContain(
    'plugin one:latest already exists',
  );
  // A volume is a reference, as on a stock engine, and belongs to the name.
  expect(await refused('plugin', 'disable', 'one')).toContain('plugin one:latest is in use: volume of-one');
  await ok('plugin', 'rm', '-f', 'one');
  expect(await ok('volume', 'ls', '-q', '--filter', 'driver=one:latest')).toBe('of-one');
  await ok('volume', 'rm', '-f', 'of-one');
  await ok('volume', 'rm', 'of-two');
  await ok('plugin', 'rm', '-f', 'two');
});

test('a plugin is carried to another host as an archive', async () => {
  const cleat = (...args: string[]) =>
    run(join(checkout, 'bin/cleat'), [...args, '-H', `unix://${engine.socket}`], { deadlineMs: 60_000 });
  const archive = join(directory, 'carried.tar');
  await ok('plugin', 'create', 'carried', managedPlugin(directory));
  expect(await cleat('plugins', 'save', 'carried', '-o', archive)).toMatchObject({ code: 0, stdout: '' });
  await ok('plugin', 'rm', 'carried');
  expect(await cleat('plugins', 'save', 'carried', '-o', join(directory, 'none.tar'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('plugin "carried" not found'),
  });
  expect((await readdir(directory)).filter((name) => name.startsWith('none'))).toEqual([]);
  expect(await cleat('plugins', 'load', 'there', archive)).toMatchObject({ code: 0, stdout: 'there\n' });
  expect(await cleat('plugins', 'load', 'there', archive)).toMatchObject({
    stderr: expect.stringContaining('plugin there:latest already exists'),
  });
  expect(await cleat('plugins', 'load', 'odd', join(checkout, 'README.md'))).toMatchObject({ code: 1 });
  await ok('plugin', 'enable', 'there');

  // The other form keeps the digest; a registry gets the very same.
  const layout = join(directory, 'carried.oci.tar');
  const push = async (name: string) => /digest: (sha256:\w{64})/.exec(await ok('plugin', 'push', name))?.[1] ?? name;
  expect(await cleat('plugins', 'save', 'there', '--format', 'oci', '-o', layout)).toMatchObject({ code: 0 });
  await ok('plugin', 'rm', '-f', 'there');
  const name = `${registry.host}/team/laid-out`;
  expect(await cleat('plugins', 'load', name, layout)).toMatchObject({ code: 0 });
  const digest = await push(name);
  await ok('plugin', 'rm', name);
  const unpacked = join(directory, 'layout');
  await mkdir(unpacked);
  await run('tar', ['-xf', layout, '-C', unpacked], { deadlineMs: 60_000 });
  expect(await cleat('plugins', 'load', name, unpacked)).toMatchObject({ code: 0 });
  expect(await push(name)).toBe(digest);
  await ok('plugin', 'enable', name);
  await ok('plugin', 'rm', '-f', name);
});

test('a plugin that cannot be enabled says why, with its last words, and stays disabled', async () => {
  const files = { 'plugin.mjs': "console.log('my back end is away');\nprocess.exit(3);\n" };
  await ok('plugin', 'create', 'broken', managedPlugin(directory, {}, files));
  const said = await refused('plugin', 'enable', 'broken');
  expect(said).toContain('plugin broken:latest does not work');
  expect(said).toContain('exit code 3');
  expect(said).toContain('my back end is away');
  expect((await inspect('broken')).Enabled).toBe(false);
  expect(await refused('volume', 'create', '-d', 'broken', 'v')).toContain('plugin broken:latest found but disabled');
  await ok('plugin', 'rm', 'broken');
});

test('an upgrade that does not start goes back by itself, and the volumes are kept', async () => {
  const name = `${registry.host}/team/upgraded`;
  const broken = { 'plugin.mjs': "console.log('version 2 is broken');\nprocess.exit(1);\n" };
  await ok('plugin', 'create', `${name}:1`, managedPlugin(directory));
  const usr = { name: 'usr', source: '/usr', destination: '/usr', type: 'bind', options: ['rbind'] };
  const wider = { mounts: [{ description: '', settable: null, ...usr }] };
  await ok('plugin', 'create', `${name}:2`, managedPlugin(directory, wider, broken));
  for (const tag of ['1', '2']) {
    await ok('plugin', 'push', `${name}:${tag}`);
    await ok('plugin', 'rm', `${name}:${tag}`);
  }
  await ok('plugin', 'install', '--grant-all-permissions', '--alias', 'up', `${name}:1`);
  const run = (script: string) =>
    ok('run', '--rm', '--network=none', '--volume-driver=up', '-v', 'data:/d', 'busybox', 'sh', '-c', script);
  await run('echo kept > /d/file');
  await ok('plugin', 'disable', '-f', 'up');
  // Differences that Docker's list does not show are asked for, too.
  const upgrade = (input: string) =>
    engine.docker('plugin', 'upgrade', '--skip-remote-check', 'up', `${name}:2`, { input });
  const denied = await upgrade('n\n');
  expect(denied.stdout).toContain('following privileges:\n - mount options: [/usr: rw]\n');
  expect(denied.stderr).toContain('permission denied');
  expect((await upgrade('y\n')).stderr).toBe('');
  const said = await refused('plugin', 'enable', 'up');
  expect(said).toContain('version 2 is broken');
  expect(said).toMatch(/was rolled back to sha256:\w+, which runs again/);
  expect(await inspect('up')).toMatchObject({ Enabled: true, PluginReference: `${name}:1` });
  expect(await run('cat /d/file')).toBe('kept');
  await ok('volume', 'rm', 'data');
  await ok('plugin', 'rm', '-f', 'up');
});

test('a log driver gets every line, and the rest after it has ended', async () => {
  const program = answering(
    {
      'Plugin.Activate': "{ Implements: ['LogDriver'] }",
      'LogDriver.Capabilities': '{ Cap: { ReadLogs: false } }',
      'LogDriver.StartLogging': 'read($.File)',
      'LogDriver.StopLogging': '{}',
    },
    `const read = (file) => {
      createReadStream(file).on('data', (data) => console.log(String(data).replace(/[^ -~]+/g, ' '))).on('error', () => {});
      return {};
    };`,
  );
  const place = managedPlugin(directory, interfaceOf('docker.logdriver/1.0'), { 'plugin.mjs': program });
  await ok('plugin', 'create', 'team/log', place);
  await ok('plugin', 'enable', 'team/log');
  const options = ['--network=none', '--log-driver=team/log', '--name=logs'];
  await ok('run', '-d', ...options, 'busybox', 'sh', '-c', 'for i in 1 2; do echo line $i; done; exec sleep infinity');
  await expect.poll(() => engine.log()).toContain('line 2');
  expect(await refused('plugin', 'disable', 'team/log')).toContain('is in use: logs (container logs)');
  const { Pid } = (await inspect('team/log')).Cleat;
  process.kill(Pid, 'SIGKILL');
  await expect
    .poll(async () => (await inspect('team/log')).Cleat)
    .toMatchObject({
      State: 'active',
      Restarts: 1,
    });
  expect(await ok('logs', 'logs')).toBe('line 1\nline 2');
  await ok('rm', '-f', 'logs');
  await ok('plugin', 'rm', '-f', 'team/log');
});

test('a plugin that is broken at boot is shown and tried again; it stops neither the engine nor the others', async () => {
  const needed = join(directory, 'needed');
  await mkdir(needed);
  const mounts = [
    { name: 'usr', source: '/usr', destination: '/usr', type: 'bind', options: ['rbind', 'ro'] },
    { name: 'needed', source: needed, destination: '/needed', type: 'bind', options: ['rbind'] },
  ].map((mount) => ({ description: '', settable: null, ...mount }));
  await ok('plugin', 'create', 'fragile', managedPlugin(directory, { mounts }));
  await ok('plugin', 'create', 'sound', managedPlugin(directory));
  for (const name of ['fragile', 'sound']) await ok('plugin', 'enable', name);
  await engine.kill('SIGTERM');
  await rmdir(needed);
  await engine.restart();
  await ok('volume', 'create', '-d', 'sound', 'v');
  await expect
    .poll(async () => (await inspect('fragile')).Cleat.Reason)
    .toContain(`bind source path does not exist: ${needed}`);
  expect((await inspect('fragile')).Enabled).toBe(true);
  await mkdir(needed);
  await expect.poll(async () => (await inspect('fragile')).Cleat.State).toBe('active');
  await ok('volume', 'rm', '-f', 'v');
  for (const name of ['fragile', 'sound']) await ok('plugin', 'rm', '-f', name);
});

test('an authorization plugin is asked while it is enabled, and cannot be removed while it is configured', async () => {
  const program = answering({
    'Plugin.Activate': "{ Implements: ['authz'] }",
    'AuthZPlugin.AuthZReq': "{ Allow: !$.RequestUri.includes('/volumes/create'), Msg: 'no volumes here' }",
    'AuthZPlugin.AuthZRes': '{ Allow: true }',
  });
  const place = managedPlugin(directory, interfaceOf('docker.authz/1.0'), { 'plugin.mjs': program });
  await ok('plugin', 'create', 'team/guard', place);
  await ok('plugin', 'enable', 'team/guard');
  await engine.kill('SIGTERM');
  await engine.restart(['--authorization-plugin=team/guard']);
  expect(await refused('volume', 'create', 'denied')).toContain(
    'authorization denied by plugin team/guard: no volumes here',
  );
  await ok('plugin', 'disable', 'team/guard');
  await ok('volume', 'create', 'allowed');
  expect(await refused('plugin', 'rm', '-f', 'team/guard')).toContain('authorization-plugins names it');
  await ok('plugin', 'enable', 'team/guard');
  expect(await refused('volume', 'create', 'denied')).toContain('no volumes here');
  await engine.kill('SIGTERM');
  await engine.restart([]);
  await ok('volume', 'rm', 'allowed');
  await ok('plugin', 'rm', '-f', 'team/guard');
  expect(await ok('plugin', 'ls', '-q')).toBe('');
});
