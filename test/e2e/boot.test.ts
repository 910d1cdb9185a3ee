import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { freePort } from './support/ports.js';
import { Provider } from './support/providers.js';
import { empty, losePower } from './support/reboot.js';
import { FixedVolumePlugin } from './support/silent.js';

/** Extensions and the containers that need them, from a cold boot on. */
let engine: Engine;
/** A runtime that only one test installs. */
const runtime = join(tmpdir(), `boot-${process.pid}-runc`);
beforeAll(async () => {
  engine = await startEngine({ flags: [`--add-runtime=mine=${runtime}`] });
});
afterAll(() => engine[Symbol.asyncDispose]());
/** Each test has extensions and volumes of its own: those of the test before are gone, and not forgotten. */
let number = 0;
const own = (name: string) => `${name}${number}`;
beforeEach(() => {
  number++;
});
afterEach(async () => {
  // The newest first, one after the other: each needs some that came before. Their volumes stay, as their drivers went.
  for (const id of (await ok('ps', '-aq')).split('\n').filter(Boolean)) await ok('rm', '-f', id);
  empty(engine.pluginDirectory);
});
/** Where the volumes of a plugin are. */
function place(): string {
  const directory = join(engine.directory, own('volume'));
  mkdirSync(directory, { recursive: true });
  return directory;
}
const { ok, refused } = clientOf(() => engine);
async function state(name: string): Promise<{ Status: string; Error: string }> {
  const { body } = await engine.api('GET', `/containers/${name}/json`);
  return (JSON.parse(body) as { State: { Status: string; Error: string } }).State;
}
const status = async (name: string) => (await state(name)).Status;
const why = async (name: string) => (await state(name)).Error;
const program = fileURLToPath(new URL('../../bin/cleat', import.meta.url));
const long = { timeout: 60_000, interval: 200 };
const sleeper = ['busybox', 'sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];

/** `cleat` against this engine. */
async function cleat(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, [...args, '-H', `unix://${engine.socket}`]);
  return stdout;
}

async function started(provider: Provider): Promise<void> {
  await ok(...provider.run);
  const file = join(engine.pluginDirectory, `${provider.name}.${provider.options.port ? 'spec' : 'sock'}`);
  await expect.poll(() => existsSync(file), long).toBe(true);
}

describe('extensions that are containers, at a cold boot', () => {
  test.each([
    { staleSockets: true, recreated: [] },
    { staleSockets: false, recreated: [] },
    { staleSockets: true, recreated: ['second', 'first'] },
  ])('a chain of three comes up by itself: %j', async ({ staleSockets, recreated }) => {
    const first = new Provider(engine, own('first'));
    // Its own state lies on a volume of the first.
    const second = new Provider(engine, own('second'), {
      kinds: 'VolumeDriver,LogDriver',
      flags: ['-v', `${own('state')}:/state`, '--volume-driver', first.name],
    });
    await started(first);
    await started(second);
    await ok('volume', 'create', '-d', second.name, own('data'));
    await ok(
      'run',
      '-d',
      '--name',
      'third',
      '--restart',
      'unless-stopped',
      '--log-driver',
      second.name,
      '-v',
      `${own('data')}:/data`,
      'busybox',
      'sh',
      '-c',
      'date >> /data/starts; echo started; exec sleep 1000',
    );
    // `run -d` comes back before a busy machine has let it print.
    await expect.poll(() => ok('logs', 'third')).toContain('started');
    for (const provider of [first, second]) {
      if (!recreated.some((name) => own(name) === provider.name)) continue;
      await ok('rm', '-f', provider.name);
      await started(provider);
    }
    await losePower(engine, { staleSockets });
    await engine.restart();
    for (const name of [first.name, second.name, 'third']) await expect.poll(() => status(name), long).toBe('running');
    const id = await ok('inspect', '--format', '{{.Id}}', 'third');
    // Lines delivered shortly before the power failed may be delivered again.
    await expect
      .poll(() => readFileSync(join(second.root, 'logs', id), 'latin1').match(/started/g)?.length, long)
      .toBeGreaterThanOrEqual(2);
    expect(
      readFileSync(join(second.root, 'volumes', own('data'), 'starts'), 'utf8')
        .trim()
        .split('\n'),
    ).toHaveLength(2);
    for (const name of [first.name, second.name, 'third']) expect(await why(name)).toBe('');
  });

  test('a plugin that uses the API of the engine in all its calls, and before it listens', async () => {
    const asking = new Provider(engine, own('asking'), { asks: true, kinds: 'VolumeDriver,LogDriver' });
    await started(asking);
    await ok('volume', 'create', '-d', asking.name, own('data'));
    await ok(
      'run',
      '-d',
      '--name',
      'user',
      '--restart',
      'always',
      '--log-driver',
      asking.name,
      '-v',
      `${own('data')}:/d`,
      ...sleeper,
    );
    await losePower(engine, { staleSockets: true });
    await engine.restart();
    await expect.poll(() => status('user'), long).toBe('running');
    const asked = asking.lines('asked').map((line) => line.split(' ')[0]);
    for (const call of ['start', 'Plugin.Activate', 'VolumeDriver.Mount', 'LogDriver.StartLogging']) {
      expect(asked.filter((one) => one === call).length).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('a container that waits for its extension', () => {
  const driver = () => join(engine.pluginDirectory, `${own('late')}.sock`);

  /** A container whose volume driver is gone when the engine starts. */
  async function waiting(...flags: string[]): Promise<void> {
    {
      await using _plugin = new FixedVolumePlugin(driver(), place());
      await ok('volume', 'create', '-d', own('late'), own('data'));
      await ok('run', '-d', '--name', 'waits', ...flags, '-v', `${own('data')}:/d`, ...sleeper);
      await ok('run', '-d', '--name', 'bystander', '--restart', 'always', ...sleeper);
      await losePower(engine, { staleSockets: true });
    }
    await engine.restart();
    await expect.poll(() => why('waits'), long).toContain(`waiting for the volume driver "${own('late')}": `);
  }

  test.each([['always'], ['unless-stopped'], ['on-failure:1']])(
    'says so, hurts nobody else, and starts when the extension comes (%s)',
    async (policy) => {
      await waiting('--restart', policy);
      await expect.poll(() => status('bystander'), long).toBe('running');
      expect(await ok('ps', '-a', '--format', '{{.Status}}', '--filter', 'name=waits')).toMatch(/^Restarting \(255\) /);
      const list = JSON.parse((await engine.api('GET', '/cleat/extensions')).body) as Record<string, unknown>[];
      expect(list).toContainEqual(expect.objectContaining({ name: own('late'), awaitedBy: ['container waits'] }));
      const id = await ok('inspect', '--format', '{{.Id}}', 'waits');
      const events = ['events', '--since=0', `--until=${Math.ceil(Date.now() / 1000)}`, `--filter=container=${id}`];
      const shown = ['--filter=event=waiting', '--format={{.Actor.Attributes.extension}}'];
      expect(await ok(...events, ...shown)).toBe(own('late'));
      expect(engine.log()).toMatch(/a container waits for an extension/);
      await using _plugin = new FixedVolumePlugin(driver(), place());
      await expect.poll(() => status('waits'), long).toBe('running');
      expect(await why('waits')).toBe('');
      expect(await ok('inspect', '--format', '{{.RestartCount}}', 'waits')).toBe('0');
      await ok('rm', '-f', 'waits');
    },
  );

  test('is stopped, removed, updated and started at once', async () => {
    await waiting('--restart', 'always');
    expect(await refused('start', 'waits')).toContain(own('late'));
    expect(await status('waits')).toBe('restarting');
    expect(await why('waits')).toMatch(/^waiting for /);
    await ok('update', '--restart=no', 'waits');
    expect(await status('waits')).toBe('exited');
    expect(await why('waits')).toBe('');
    await ok('update', '--restart=always', 'waits');
    await engine.kill('SIGKILL');
    await engine.restart();
    await expect.poll(() => status('waits'), long).toBe('restarting');
    await ok('stop', 'waits');
    expect(await status('waits')).toBe('exited');
    await engine.kill('SIGKILL');
    await engine.restart();
    await expect.poll(() => why('waits'), long).toMatch(/^waiting for /);
    await engine.kill('SIGTERM');
    await engine.restart();
    await expect.poll(() => why('waits'), long).toMatch(/^waiting for /);
    await ok('rm', '-f', 'waits');
    expect(await ok('ps', '-aq', '--filter', 'name=waits')).toBe('');
  });

  test('a start by hand that succeeds ends the wait', async () => {
    await waiting('--restart', 'always');
    await using _plugin = new FixedVolumePlugin(driver(), place());
    await ok('start', 'waits');
    await expect.poll(() => status('waits'), long).toBe('running');
    await ok('rm', '-f', 'waits');
  });

  test('between two restarts, too, and they are not counted', async () => {
    {
      await using _plugin = new FixedVolumePlugin(driver(), place());
      await ok('volume', 'create', '-d', own('late'), own('data'));
      await ok('run', '-d', '--name', 'waits', '--restart', 'on-failure:2', '-v', `${own('data')}:/d`, ...sleeper);
    }
    process.kill(Number(await ok('inspect', '--format', '{{.State.Pid}}', 'waits')), 'SIGKILL');
    await expect.poll(() => why('waits'), long).toContain(`waiting for the volume driver "${own('late')}"`);
    expect(await ok('inspect', '--format', '{{.RestartCount}}', 'waits')).toBe('1');
    await using _plugin = new FixedVolumePlugin(driver(), place());
    await expect.poll(() => status('waits'), long).toBe('running');
    expect(await ok('inspect', '--format', '{{.RestartCount}}', 'waits')).toBe('1');
    await ok('rm', '-f', 'waits');
  });

  test('a start that fails for another reason is reported and not tried again', async () => {
    {
      await using _plugin = new FixedVolumePlugin(driver(), place());
      await ok('volume', 'create', '-d', own('late'), own('data'));
      await ok('run', '-d', '--name', 'fails', '--restart', 'always', '-v', `${own('data')}:/d`, ...sleeper);
      await losePower(engine, { staleSockets: true });
    }
    // It is there, and says no.
    await using _plugin = new FixedVolumePlugin(driver(), 'nowhere');
    await engine.restart();
    await expect.poll(() => why('fails'), long).toMatch(/nowhere/);
    expect(await status('fails')).toBe('exited');
  });

  test('for a runtime', async () => {
    const install = () => writeFileSync(runtime, '#!/bin/sh\nexec runc "$@"\n', { mode: 0o755 });
    install();
    await ok('run', '-d', '--name', 'waits', '--restart', 'always', '--runtime', 'mine', ...sleeper);
    await losePower(engine, { staleSockets: false });
    rmSync(runtime);
    await engine.restart();
    await expect.poll(() => why('waits'), long).toMatch(/^waiting for the runtime "mine": there is no program/);
    install();
    await expect.poll(() => status('waits'), long).toBe('running');
    await ok('rm', '-f', 'waits');
    rmSync(runtime);
  });
});

describe('the stop of the engine', () => {
  const provider = (name: string) =>
    cleat('extensions', 'inspect', name).then((text) => /^Container: +(\S+) \(/m.exec(text)?.[1]);

  test('containers stop before those that provide their extensions, which hear of it', async () => {
    const first = new Provider(engine, own('first'));
    const second = new Provider(engine, own('second'), {
      kinds: 'VolumeDriver,LogDriver',
      flags: ['-v', `${own('state')}:/state`, '--volume-driver', first.name],
    });
    await started(first);
    await started(second);
    await ok('volume', 'create', '-d', second.name, own('data'));
    await ok('run', '-d', '--name', 'third', '--log-driver', second.name, '-v', `${own('data')}:/data`, ...sleeper);
    for (const { name } of [first, second]) expect(await provider(name)).toBe(name);
    const count = ({ calls }: Provider, call: string) => calls.filter((one) => one === call).length;
    await engine.kill('SIGTERM');
    expect(count(second, 'VolumeDriver.Unmount')).toBe(count(second, 'VolumeDriver.Mount'));
    expect(count(second, 'LogDriver.StopLogging')).toBe(count(second, 'LogDriver.StartLogging'));
    expect(count(first, 'VolumeDriver.Unmount')).toBe(count(first, 'VolumeDriver.Mount'));
    // An engine that has used none of them yet finds out.
    await engine.restart();
    await expect.poll(async () => (await engine.docker('start', 'third')).code, long).toBe(0);
    await engine.kill('SIGKILL');
    await engine.restart();
    await engine.kill('SIGTERM');
    expect(count(second, 'VolumeDriver.Unmount')).toBe(count(second, 'VolumeDriver.Mount'));
    expect(count(first, 'VolumeDriver.Unmount')).toBe(count(first, 'VolumeDriver.Mount'));
    expect(engine.log()).not.toMatch(/failed while clearing up/);
    await engine.restart();
  });

  test('providers are told apart where they share the directory, and when the one that listened has ended', async () => {
    const all = [
      new Provider(engine, own('forking'), { forks: true }),
      new Provider(engine, own('forked'), { forks: true }),
      new Provider(engine, own('plain')),
      new Provider(engine, own('remote'), { port: await freePort() }),
    ];
    for (const one of all) await started(one);
    for (const { name } of all) {
      await ok('volume', 'create', '-d', name, `of-${name}`);
      expect(await provider(name)).toBe(name);
    }
  });

  test('with live-restore both stay, and nobody is told anything', async () => {
    const storage = new Provider(engine, own('storage'));
    await started(storage);
    await ok('volume', 'create', '-d', storage.name, own('data'));
    await ok('run', '-d', '--name', 'user', '-v', `${own('data')}:/d`, ...sleeper);
    await engine.kill('SIGTERM');
    await engine.restart(['--live-restore']);
    for (const name of [storage.name, 'user'])
      await expect.poll(async () => (await engine.docker('start', name)).code, long).toBe(0);
    const pids = await ok('inspect', '--format', '{{.State.Pid}}', storage.name, 'user');
    const before = storage.calls.length;
    await engine.kill('SIGTERM');
    expect(storage.calls).toHaveLength(before);
    await engine.restart([]);
    expect(await ok('inspect', '--format', '{{.State.Pid}}', storage.name, 'user')).toBe(pids);
    expect(await ok('exec', 'user', 'ls', '/d')).toBe('');
  });

  test('a provider that a user stops is stopped, and who depends on it runs on', async () => {
    const storage = new Provider(engine, own('storage'));
    await started(storage);
    await ok('volume', 'create', '-d', storage.name, own('data'));
    await ok('run', '-d', '--name', 'user', '-v', `${own('data')}:/d`, ...sleeper);
    await ok('stop', storage.name);
    expect(await ok('exec', 'user', 'ls', '/d')).toBe('');
    expect(await status('user')).toBe('running');
  });
});

test('the engine starts while every extension hangs, and containers that need none of them run', async () => {
  const sockets = ['vol', 'log', 'net', 'other'].map((name) => join(engine.pluginDirectory, `${own(name)}.sock`));
  {
    await using _vol = new FixedVolumePlugin(sockets[0] ?? '', place());
    await ok('volume', 'create', '-d', own('vol'), own('data'));
    await ok('run', '-d', '--name', 'stuck', '--restart', 'always', '-v', `${own('data')}:/d`, ...sleeper);
    await ok('run', '-d', '--name', 'free', '--restart', 'always', ...sleeper);
    await losePower(engine, { staleSockets: false });
  }
  // They take connections and never answer.
  const servers = sockets.map((socket) => createServer(() => {}).listen(socket));
  try {
    await engine.restart();
    await expect.poll(() => status('free'), long).toBe('running');
    await expect.poll(() => why('stuck'), long).toContain(`waiting for the volume driver "${own('vol')}"`);
    await ok('ps', '-a');
    await ok('info');
    await ok('stop', 'stuck');
    await ok('rm', 'stuck');
  } finally {
    for (const server of servers) server.close();
  }
});
