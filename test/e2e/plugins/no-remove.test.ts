import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from '../support/client.js';
import { type Engine, startEngine } from '../support/engine.js';
import { packageExample, variant } from '../support/packaged.js';
import { Registry } from '../support/registry.js';
import { StockDockerd, stockDockerdInstalled } from '../support/stock-dockerd.js';

/** The story of a managed plugin, from its maker to its last user, on this engine and with a stock one. */
const manifest = {
  interface: { types: ['docker.volumedriver/1.0'], socket: 'no-remove.sock' },
  propagatedMount: '/data',
  env: [
    { name: 'DEBUG', description: 'more lines', value: '0', settable: ['value'] },
    { name: 'PASSWORD', description: 'a secret', value: '', settable: ['value'] },
  ],
  linux: { capabilities: ['CAP_SYS_ADMIN'] },
};

let engine: Engine;
let registry: Registry;
let directory: string;
let packaged: string;
beforeAll(async () => {
  directory = await mkdtemp('/tmp/cleat-packaged-');
  [engine, registry, packaged] = await Promise.all([
    startEngine(),
    Registry.start(),
    packageExample('no-remove', join(directory, 'v1'), manifest),
  ]);
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const cleat = () => clientOf(() => engine);

test('no-remove is packaged, pushed, installed, granted, used, upgraded and removed', async () => {
  const { ok, refused } = cleat();
  const name = `${registry.host}/cleat/no-remove`;
  expect(await ok('plugin', 'create', `${name}:v1`, packaged)).toBe(`${name}:v1`);
  const more = { ...manifest, linux: { capabilities: ['CAP_SYS_ADMIN', 'CAP_SYSLOG'] } };
  await ok('plugin', 'create', `${name}:v2`, variant(packaged, join(directory, 'v2'), more));
  for (const tag of ['v1', 'v2']) {
    expect(await ok('plugin', 'push', `${name}:${tag}`)).toContain(`The push refers to repository [${name}]`);
    await ok('plugin', 'rm', `${name}:${tag}`);
  }

  // Installed: the privileges are shown, and must be granted.
  const denied = await engine.docker('plugin', 'install', `${name}:v1`, { input: 'n\n' });
  expect(denied.stdout).toContain(' - capabilities: [CAP_SYS_ADMIN]');
  expect(denied.stderr).toContain('permission denied while installing plugin');
  const installed = await engine.docker('plugin', 'install', '--alias', 'keeper', `${name}:v1`, 'PASSWORD=p4ss', {
    input: 'y\n',
  });
  expect(installed.stderr).toBe('');
  expect(installed.stdout).toMatch(/v1: Pulling from .*\nDigest: sha256:\w{64}\n[\s\S]*Installed plugin/);
  expect(await ok('plugin', 'ls', '--format', '{{.Name}} {{.Enabled}}')).toBe('keeper:latest true');
  expect(await ok('info', '--format', '{{.Plugins.Volume}}')).toContain('keeper:latest');

  // Used by a container; its volumes are called by its whole name, and lie where the host sees them.
  const run = (volume: string, script: string) =>
    ok('run', '--rm', '--network=none', '-v', `${volume}:/d`, '--volume-driver=keeper', 'busybox', 'sh', '-c', script);
  await run('data', 'echo kept > /d/file');
  expect(await ok('volume', 'ls', '--format', '{{.Driver}} {{.Name}}')).toBe('keeper:latest data');
  await ok('volume', 'rm', 'data');
  expect(await run('data', 'cat /d/file')).toBe('kept');
  await ok('run', '-d', '--name', 'user', '--network=none', '-v', 'data:/d', 'busybox', 'sleep', 'infinity');

  // Refused while it is used, and by whom.
  for (const command of [['disable'], ['rm']]) {
    expect(await refused('plugin', ...command, 'keeper')).toContain(
      'plugin keeper:latest is in use: volume data (container user)',
    );
  }
  expect(await refused('plugin', 'set', 'keeper', 'DEBUG=1')).toContain('cannot set on an active plugin');
  expect(await refused('plugin', 'upgrade', 'keeper', `${name}:v2`)).toContain('must be disabled before upgrading');

  // Inspected: its secret is not shown.
  const [inspected] = JSON.parse(await ok('plugin', 'inspect', 'keeper'));
  expect(inspected).toMatchObject({
    Enabled: true,
    PluginReference: `${name}:v1`,
    Settings: { Env: ['DEBUG=0', 'PASSWORD=***'] },
    Cleat: { State: 'active', Health: 'healthy' },
  });

  // Upgraded: its volumes and what its user has set are kept.
  await ok('rm', '-f', 'user');
  await ok('plugin', 'disable', '-f', 'keeper');
  expect(await refused('volume', 'create', '-d', 'keeper', 'more')).toContain(
    'plugin keeper:latest found but disabled',
  );
  const upgraded = await engine.docker('plugin', 'upgrade', '--skip-remote-check', 'keeper', `${name}:v2`, {
    input: 'y\n',
  });
  expect(upgraded.stderr).toBe('');
  // Asked only for what is new.
  expect(upgraded.stdout).toMatch(/following privileges:\n - capabilities: \[CAP_SYSLOG\]\n/);
  expect(upgraded.stdout).toContain('New privileges: capabilities: [CAP_SYSLOG]');
  await ok('plugin', 'enable', 'keeper');
  expect(await run('data', 'cat /d/file')).toBe('kept');
  const [after] = JSON.parse(await ok('plugin', 'inspect', 'keeper'));
  expect(after).toMatchObject({ Id: inspected.Id, PluginReference: `${name}:v2`, Settings: inspected.Settings });

  // It and an engine that is killed: each finds the other again.
  process.kill(after.Cleat.Pid, 'SIGKILL');
  await expect.poll(() => run('data', 'cat /d/file').catch(String)).toBe('kept');
  const [before] = JSON.parse(await ok('plugin', 'inspect', 'keeper'));
  expect(before.Cleat).toMatchObject({ State: 'active', Restarts: 1, LastEnd: 'killed by SIGKILL' });
  await engine.kill('SIGKILL');
  await engine.restart();
  expect(await run('data', 'cat /d/file')).toBe('kept');
  expect(JSON.parse(await ok('plugin', 'inspect', 'keeper'))[0].Cleat.Pid).toBe(before.Cleat.Pid);

  // Removed, and nothing is left of it.
  await ok('volume', 'rm', 'data');
  expect(await refused('plugin', 'rm', 'keeper')).toContain('plugin keeper:latest is enabled');
  await ok('plugin', 'disable', 'keeper');
  await ok('plugin', 'rm', 'keeper');
  expect(await ok('plugin', 'ls', '-q')).toBe('');
  const until = (Date.now() / 1000 + 0.2).toFixed(3);
  const events = await ok('events', '--since=1h', `--until=${until}`, '--filter=type=plugin', '--format={{.Action}}');
  const times = (count: number, action: string) => Array.from({ length: count }, () => action);
  expect(events.split('\n')).toEqual([
    ...times(2, 'create'),
    'push',
    'remove',
    'push',
    'remove',
    'pull',
    'enable',
    'disable',
    'pull',
    'enable',
    'disable',
    'remove',
  ]);
});

test.runIf(stockDockerdInstalled)(
  'a stock engine takes it, and makes one that is taken here',
  async () => {
    const { ok } = cleat();
    await using stock = await StockDockerd.start();
    await using _reach = await registry.alsoIn(['nsenter', `--net=/proc/${stock.pid}/ns/net`]);
    const other = clientOf(() => ({ docker: (...args) => engine.dockerAt(stock.host, ...args) }));
    const digest = async (client: Pick<typeof other, 'ok'>, name: string) =>
      JSON.parse(await client.ok('plugin', 'inspect', name))[0].Config.rootfs.diff_ids;

    // Made and pushed by the story above.
    const ours = `${registry.host}/cleat/no-remove:v1`;
    await other.ok('plugin', 'install', '--grant-all-permissions', ours);
    await other.ok('volume', 'create', '-d', ours, 'data');
    expect(await other.ok('volume', 'inspect', '--format', '{{.Driver}}', 'data')).toBe(ours);
    await other.ok('volume', 'rm', 'data');
    await other.ok('plugin', 'disable', ours);

    const theirs = `${registry.host}/stock/no-remove`;
    await other.ok('plugin', 'create', theirs, packaged);
    await other.ok('plugin', 'push', theirs);
    await ok('plugin', 'install', '--grant-all-permissions', theirs);
    const volume = ['--network=none', '-v', 'data:/d', `--volume-driver=${theirs}`];
    expect(await ok('run', '--rm', ...volume, 'busybox', 'sh', '-c', 'echo here > /d/f; cat /d/f')).toBe('here');
    expect(await digest({ ok }, theirs)).toEqual(await digest(other, theirs));
    await ok('volume', 'rm', 'data');
    await ok('plugin', 'rm', '-f', theirs);
  },
  300_000,
);
