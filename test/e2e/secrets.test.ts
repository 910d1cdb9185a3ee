import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import type { SecretRequest } from '@cleat/protocol/kinds/secret';
import { silentLogger } from '@cleat/protocol/log';
import { defineExtension, implement, notFound, type Served, secretKind, serve } from '@cleat/sdk';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

let engine: Engine;
let provider: Served;
const { ok, refused } = clientOf(() => engine);
const asked: SecretRequest[] = [];
let value = '';

const vault = defineExtension({
  start: () => ({
    implementations: [
      implement(secretKind, {
        GetSecret(request) {
          asked.push(request);
          if (request.SecretName === 'none') throw notFound('there is no such secret');
          if (request.SecretName === 'broken') return { Value: '!' };
          if (request.SecretName === 'empty') return {};
          return { Value: Buffer.from(value).toString('base64'), DoNotReuse: true };
        },
      }),
    ],
  }),
});
const startVault = (): Promise<Served> =>
  serve(vault, { name: 'vault', socket: join(engine.pluginDirectory, 'vault.sock'), log: silentLogger });

beforeAll(async () => {
  engine = await startEngine({ flags: ['--live-restore'] });
  provider = await startVault();
});
afterAll(async () => {
  await removeAll(engine);
  await provider.close();
  await engine[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await removeAll(engine);
  asked.length = 0;
  value = `it-is-${Math.random()}`;
});

const secret = ['--label', 'io.cleat.secret.password=vault'];
const secretMounts = () => listMounts(engine.execRoot).filter(({ target }) => target.endsWith('/secrets'));

test('a container finds its secrets in memory, as any user, and nobody else does', async () => {
  const more = ['--label', 'io.cleat.secret.password.path=prod/db', '--label', 'team=a', '--hostname', 'db'];
  const id = await ok(
    'run',
    '-d',
    '--name',
    'db',
    '--user',
    '1000',
    '--read-only',
    ...secret,
    ...more,
    'busybox',
    'top',
  );
  expect(await ok('exec', 'db', 'cat', '/run/secrets/password')).toBe(value);
  expect(asked).toEqual([
    {
      SecretName: 'password',
      SecretLabels: { path: 'prod/db' },
      ServiceHostname: 'db',
      ServiceName: 'db',
      ServiceLabels: { 'io.cleat.secret.password': 'vault', 'io.cleat.secret.password.path': 'prod/db', team: 'a' },
      TaskID: id,
      TaskName: 'db',
      TaskImage: 'busybox',
      NodeID: await ok('info', '--format', '{{.ID}}'),
    },
  ]);
  expect(await refused('exec', '--user', '0', 'db', 'sh', '-c', 'echo x > /run/secrets/password')).toMatch(
    /read-only/i,
  );
  expect(await ok('exec', 'db', 'grep', '/run/secrets', '/proc/mounts')).toMatch(/ ramfs ro,nosuid,nodev,noexec/);
  const [mount] = secretMounts();
  // No path for anybody else on the host.
  expect(await ok('exec', '--user', '0', 'db', 'stat', '-c', '%a', '/run/secrets/password')).toBe('444');
  expect(mount?.target).toContain('/private/');

  const known = [
    await ok('inspect', 'db'),
    await ok('logs', 'db'),
    engine.log(),
    (await engine.api('GET', '/cleat/extensions')).body,
  ];
  for (const text of known) {
    expect(text).not.toContain(value);
    expect(text).not.toContain(Buffer.from(value).toString('base64'));
  }
  expect(readFileSync(join(engine.execRoot, 'containers', id, 'config.json'), 'utf8')).not.toContain(value);

  await ok('stop', '-t', '0', 'db');
  expect(secretMounts()).toEqual([]);
  expect(existsSync(join(engine.execRoot, 'containers', id, 'private', 'secrets', 'password'))).toBe(false);
});

test('each start asks anew; an engine that comes back leaves those of running containers alone', async () => {
  const first = value;
  await ok('run', '-d', '--name', 'kept', ...secret, 'busybox', 'top');
  await engine.kill('SIGKILL');
  value = 'another';
  await engine.restart();
  expect(await ok('exec', 'kept', 'cat', '/run/secrets/password')).toBe(first);
  expect(asked).toHaveLength(1);
  await ok('restart', '-t', '0', 'kept');
  expect(await ok('exec', 'kept', 'cat', '/run/secrets/password')).toBe('another');
  expect(secretMounts()).toHaveLength(1);
});

test('a container that starts by itself waits for its provider, as for any extension that it needs', async () => {
  await ok('run', '-d', '--name', 'patient', '--restart', 'always', '--network', 'none', ...secret, 'busybox', 'top');
  const pid = Number(await ok('inspect', '-f', '{{.State.Pid}}', 'patient'));
  await engine.kill('SIGKILL');
  await provider.close();
  // It ends while nobody is there to start it again.
  process.kill(pid, 'SIGKILL');
  await engine.restart();
  const why = () => ok('inspect', '-f', '{{.State.Error}}', 'patient');
  await expect.poll(why).toMatch(/^waiting for the secret provider "vault": /);
  provider = await startVault();
  await expect.poll(() => ok('inspect', '-f', '{{.State.Status}}', 'patient')).toBe('running');
  expect(await ok('exec', 'patient', 'cat', '/run/secrets/password')).toBe(value);
});

test.each([
  ['none', 'vault', 'there is no such secret'],
  ['broken', 'vault', 'its value is not base64'],
  ['empty', 'vault', 'it answered without a value'],
  ['some', 'nobody', 'plugin "nobody" not found (known for secretprovider: vault)'],
])('without its secret %s of %s a container does not start', async (name, plugin, why) => {
  const said = await refused('run', '--rm', '--label', `io.cleat.secret.${name}=${plugin}`, 'busybox', 'true');
  expect(said).toContain(`cannot get secret "${name}" (SecretProvider.GetSecret of plugin "${plugin}"): ${why}`);
  expect(secretMounts()).toEqual([]);
  expect(await ok('ps', '-aq')).toBe('');
});

test('a label that makes no sense is refused at create; an image’s label requests nothing', async () => {
  const create = (...args: string[]) => refused('create', ...args, 'busybox');
  expect(await create('--label', 'io.cleat.secret.a/b=vault')).toContain("'a/b' cannot be the name of a secret");
  expect(await create('--label', 'io.cleat.secret.a=')).toContain('must name the plugin');
  expect(await create('--label', 'io.cleat.secret.a.key=x')).toContain('there is no io.cleat.secret.a');
  expect(await create(...secret, '--tmpfs', '/run/secrets/')).toContain("is where this container's secrets are");
  await ok('create', '--name', 'greedy', ...secret, 'busybox');
  await ok('commit', 'greedy', 'greedy');
  await ok('run', '--rm', 'greedy', 'sh', '-c', '[ ! -e /run/secrets/password ]');
  expect(asked).toEqual([]);
  await ok('rm', 'greedy');
  await ok('rmi', 'greedy');
});
