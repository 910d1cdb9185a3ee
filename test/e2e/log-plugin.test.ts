import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { LogPlugin } from './support/log-plugin.js';

/** `docker logs` from a plugin that can be read, and from the engine's own copy when it cannot. */
let engine: Engine;
const { ok, refused } = clientOf(() => engine);

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());
afterEach(() => removeAll(engine));

const prints = (driver: string, script: string, ...options: string[]) =>
  ok('run', '-d', '--network', 'none', `--log-driver=${driver}`, ...options, 'busybox', 'sh', '-c', script);

async function waitFor(plugin: LogPlugin, id: string, last: string): Promise<void> {
  await expect.poll(() => plugin.kept(id).at(-1)).toBe(last);
}

test('a plugin that can be read answers: tail, since, until, streams, time stamps, details', async () => {
  await using plugin = await LogPlugin.start(engine, 'readable', '--reads', 'yes');
  const id = await prints(
    'readable',
    'echo one; sleep 1.2; echo two; echo err >&2; sleep 0.2; echo three',
    '--label=app=shop',
    '--log-opt=labels=app',
  );
  await ok('wait', id);
  await waitFor(plugin, id, 'three');
  const logs = async (...options: string[]) => {
    const { code, stdout, stderr } = await engine.docker('logs', ...options, id);
    expect({ code, stderr: stderr.replace(/^.*kept err\n/, '') }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };
  expect(await engine.docker('logs', id)).toEqual({
    code: 0,
    stdout: 'kept one\nkept two\nkept three\n',
    stderr: 'kept err\n',
  });
  expect(await logs('--tail', '1')).toBe('kept three\n');
  expect(await logs('--tail', '0')).toBe('');
  expect(await logs('--details')).toBe('app=shop kept one\napp=shop kept two\napp=shop kept three\n');
  const stamped = await logs('--timestamps');
  expect(stamped).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z kept one\n/);
  const [, second = ''] = stamped.split('\n').map((line) => line.split(' ')[0] ?? '');
  expect(await logs('--since', second)).toBe('kept two\nkept three\n');
  expect(await logs('--until', second)).toBe('kept one\nkept two\n');
});

test('following a plugin ends with the container', async () => {
  await using plugin = await LogPlugin.start(engine, 'followed', '--reads', 'yes');
  const id = await prints('followed', 'echo one; while [ ! -e /go ]; do sleep 0.1; done; echo two');
  await waitFor(plugin, id, 'one');
  const following = engine.docker('logs', '-f', id);
  await sleep(500);
  await ok('exec', id, 'touch', '/go');
  expect(await following).toEqual({ code: 0, stdout: 'kept one\nkept two\n', stderr: '' });
});

test('the engine’s own copy replaces a plugin that is dead, hangs or has no log, and a message says so', async () => {
  await using plugin = await LogPlugin.start(engine, 'fragile', '--reads', 'yes');
  const id = await prints('fragile', 'echo one');
  await ok('wait', id);
  await waitFor(plugin, id, 'one');
  expect(await ok('logs', id)).toBe('kept one');
  await plugin.kill();
  expect(await ok('logs', id)).toBe('one');
  const { headers } = await engine.api('GET', `/containers/${id}/logs?stdout=1`);
  expect(headers.warning).toMatch(
    /^199 cleat "log driver fragile cannot be read \(.*\): this is the engine's own copy"$/,
  );
  expect(engine.log()).toMatch(/log driver fragile cannot be read .*: this is the engine's own copy/);
  await plugin.start();
  await expect.poll(() => ok('logs', id)).toBe('kept one');
  plugin.pause();
  expect(await ok('logs', id)).toBe('one');
  plugin.resume();
  await expect.poll(() => ok('logs', id)).toBe('kept one');
});

test('a plugin that breaks off in the middle of a log: what it sent, then an error that says so', async () => {
  await using plugin = await LogPlugin.start(engine, 'broken', '--reads', 'half');
  const id = await prints('broken', 'echo one; echo two');
  await ok('wait', id);
  await waitFor(plugin, id, 'two');
  const { code, stdout, stderr } = await engine.docker('logs', id);
  expect({ code, stdout }).toEqual({ code: 1, stdout: 'kept one\n' });
  expect(stderr).toMatch(/Error grabbing logs: log driver broken broke off in the middle of a log \(.*\)/);
  const followed = await prints('broken', 'echo one; sleep 100');
  await waitFor(plugin, followed, 'one');
  expect(await engine.docker('logs', '-f', followed)).toMatchObject({ code: 1 });
});

test('a plugin that cannot be read: the engine’s own copy, unless that is switched off', async () => {
  await using plugin = await LogPlugin.start(engine, 'mute');
  const id = await prints('mute', 'echo one', '--log-opt=colour=red');
  expect(await refused('create', '--log-driver=mute', '--log-opt=sound=loud', 'busybox', 'true')).toContain(
    'the plugin has no option sound',
  );
  await ok('wait', id);
  await waitFor(plugin, id, 'one');
  expect(await ok('logs', id)).toBe('one');
  const uncached = await prints('mute', 'echo one', '--log-opt=cache-disabled=true');
  await ok('wait', uncached);
  expect(await refused('logs', uncached)).toContain('configured logging driver does not support reading');
});
