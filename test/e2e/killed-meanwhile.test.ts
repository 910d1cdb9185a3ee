import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { ScriptedNetworkPlugin } from './support/scripted-network.js';

/** `kill -9` while a container is in a state for a moment: the next engine takes that back. */
let engine: Engine;
const { ok } = clientOf(() => engine);
const reached = (what: string): string => join(engine.directory, `reached-${what}`);

beforeAll(async () => {
  engine = await startEngine();
  // The runtime does it, and does not say so before the engine is dead.
  const runtime = join(engine.directory, 'slow-runtime');
  const script = `#!/bin/sh
runc "$@"; code=$?
for word; do case $word in pause|resume|update) : > ${engine.directory}/reached-$word; sleep 1;; esac; done
exit $code
`;
  writeFileSync(runtime, script, { mode: 0o755 });
  await engine.kill('SIGTERM');
  await engine.restart([`--add-runtime=slow=${runtime}`]);
});
afterAll(async () => {
  await removeAll(engine);
  await engine[Symbol.asyncDispose]();
});

async function runSlow(name: string, ...options: string[]): Promise<void> {
  await ok('run', '-d', '--name', name, '--runtime', 'slow', ...options, 'busybox', 'sleep', '1000');
}

/** Kills the engine while the runtime works for that command, and starts it again. */
async function killIn(what: string, ...command: string[]): Promise<void> {
  rmSync(reached(what), { force: true });
  const asked = engine.docker(...command);
  while (!existsSync(reached(what))) await sleep(10);
  await engine.kill('SIGKILL');
  expect((await asked).code).not.toBe(0);
  await engine.restart();
}

const status = (name: string): Promise<string> => ok('inspect', '--format', '{{.State.Status}}', name);

describe.each([
  ['commit', 'pause', ['commit', 'held', 'made']],
  ['pause', 'pause', ['pause', 'held']],
])('docker %s', (_name, what, command) => {
  test('leaves nothing frozen', async () => {
    await runSlow('held');
    await killIn(what, ...command);
    expect(await status('held')).toBe('running');
    expect(await ok('exec', 'held', 'echo', 'hi')).toBe('hi');
    await ok('pause', 'held');
    expect(await status('held')).toBe('paused');
    await ok('unpause', 'held');
    expect(await ok('exec', 'held', 'echo', 'hi')).toBe('hi');
    await ok('rm', '-f', 'held');
  });
});

test('docker unpause: it goes on', async () => {
  await runSlow('going');
  await ok('pause', 'going');
  await killIn('resume', 'unpause', 'going');
  expect(await status('going')).toBe('running');
  expect(await ok('exec', 'going', 'echo', 'hi')).toBe('hi');
  await ok('rm', '-f', 'going');
});

test('docker update: the limits in force are those that are shown', async () => {
  await runSlow('limited', '--memory', '64m', '--memory-swap', '64m');
  await killIn('update', 'update', '--memory', '32m', '--memory-swap', '32m', 'limited');
  expect(await ok('inspect', '--format', '{{.HostConfig.Memory}}', 'limited')).toBe(`${64 << 20}`);
  const files = '/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max';
  expect(await ok('exec', 'limited', 'sh', '-c', `cat ${files} 2>/dev/null; true`)).toBe(`${64 << 20}`);
  await ok('rm', '-f', 'limited');
});

test('a commit keeps still what is paused and unpaused meanwhile, and lets go in the end', async () => {
  await runSlow('busy');
  const committed = engine.docker('commit', 'busy', 'made');
  await ok('pause', 'busy');
  expect((await committed).code).toBe(0);
  expect(await status('busy')).toBe('paused');
  await ok('unpause', 'busy');
  expect(await ok('exec', 'busy', 'echo', 'hi')).toBe('hi');
  await ok('rm', '-f', 'busy');
});

describe('networks', () => {
  const tag = `km${process.pid % 10_000}`;
  let plugin: ScriptedNetworkPlugin;
  beforeAll(async () => {
    const { prefix, pluginDirectory } = engine;
    plugin = new ScriptedNetworkPlugin(join(pluginDirectory, `${tag}.sock`), tag, prefix);
    await ok('network', 'create', '-d', tag, '--ipam-driver', tag, '--subnet', `${prefix}.1.0/24`, 'net');
    await runSlow('moving');
  });
  afterAll(async () => {
    await ok('rm', '-f', 'moving');
    await ok('network', 'rm', 'net');
    await plugin[Symbol.asyncDispose]();
  });
  const networks = () =>
    ok('inspect', '--format', '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}', 'moving');
  const members = () => ok('network', 'inspect', '--format', '{{len .Containers}}', 'net');

  /** Kills the engine while the plugin does not answer that call. */
  async function killAt(method: string, ...command: string[]): Promise<void> {
    const before = plugin.calls.length;
    plugin.silent.add(method);
    const asked = engine.docker(...command);
    await expect.poll(() => plugin.calls.slice(before).map((call) => call.method)).toContain(method);
    await engine.kill('SIGKILL');
    expect((await asked).code).not.toBe(0);
    plugin.silent.delete(method);
    await engine.restart();
  }

  test.each(['IpamDriver.RequestAddress', 'NetworkDriver.CreateEndpoint', 'NetworkDriver.Join'])(
    'docker network connect, killed at %s: it is on no network that it does not ask for',
    async (method) => {
      await killAt(method, 'network', 'connect', 'net', 'moving');
      await expect.poll(networks).toBe('bridge');
      await expect.poll(members).toBe('0');
      await ok('network', 'connect', 'net', 'moving');
      expect(await networks()).toBe('bridge net');
      await ok('network', 'disconnect', 'net', 'moving');
    },
  );

  test('docker network disconnect: it is off, also after its restart', async () => {
    await ok('network', 'connect', 'net', 'moving');
    await killAt('NetworkDriver.Leave', 'network', 'disconnect', 'net', 'moving');
    await expect.poll(networks).toBe('bridge');
    await ok('restart', '-t', '0', 'moving');
    expect(await networks()).toBe('bridge');
    await expect.poll(members).toBe('0');
  });
});
