import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DriverDeliveries } from '@cleat/engine/spool/service';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { LogPlugin } from './support/log-plugin.js';
import { Program } from './support/program.js';

/** A log plugin that is killed, hangs or is slow while containers print, and the engine killed beside it. */
const cleat = fileURLToPath(new URL('../../bin/cleat', import.meta.url));
/** Bytes in the pipe and in the plugin's hands when either is killed, which may come a second time: 320 KiB. */
const repeatedBytes = 320 * 1024;
/** An entry of a line of seven digits, on the FIFO. */
const entryBytes = 31;
const longMs = 240_000;

let engine: Engine;
let plugin: LogPlugin;
const { ok } = clientOf(() => engine);

/** Each test has a plugin of its own, so a name of its own: what an engine counts and warns of goes by the name. */
let plugins = 0;
beforeEach(async () => {
  plugin = await LogPlugin.start(engine, `chaos${++plugins}`);
});
afterEach(async () => {
  await removeAll(engine);
  await plugin[Symbol.asyncDispose]();
});

/** Prints numbers from 1000000 on, `pause` seconds after each thousand. */
const counting = (thousands: number, pause: number) =>
  `n=1000; while [ $n -lt ${1000 + thousands} ]; do seq \${n}000 \${n}999; n=$((n+1)); sleep ${pause}; done`;

const print = (script: string, ...options: string[]) =>
  ok('run', '-d', '--network=none', `--log-driver=${plugin.name}`, ...options, 'busybox', 'sh', '-c', script);

async function keptUntil(id: string, last: number): Promise<number[]> {
  await expect.poll(() => Number(plugin.kept(id).at(-1)), { timeout: longMs, interval: 200 }).toBe(last);
  return plugin.kept(id).map(Number);
}

/** Every number is there, the first time in order; what came again is no more than may be. */
function expectComplete(kept: readonly number[], count: number, crashes: number): void {
  const seen = new Set<number>();
  let next = 1_000_000;
  for (const number of kept) {
    if (!seen.has(number)) expect(number).toBe(next++);
    seen.add(number);
  }
  expect(seen.size).toBe(count);
  expect(kept.length - seen.size).toBeLessThanOrEqual((crashes * repeatedBytes) / entryBytes);
}

const deliveryOf = async (): Promise<DriverDeliveries | undefined> => {
  const { body } = await engine.api('GET', '/cleat/log-drivers');
  return (JSON.parse(body) as DriverDeliveries[]).find(({ driver }) => driver === plugin.name);
};

describe('no line is lost, and lines come twice only around a crash', () => {
  beforeAll(async () => {
    // A call of which something waits until its deadline would outlast its test.
    const patient = { deadlines: { '*': 3_600_000 } };
    const extensions = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`chaos${at + 1}`, patient]));
    engine = await startEngine({ config: { extensions } });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  test('although the plugin is killed, and killed again', async () => {
    const id = await print(counting(60, 0.05));
    for (let crash = 0; crash < 2; crash++) {
      await sleep(1000);
      await plugin.kill();
      await sleep(500);
      await plugin.start();
    }
    expectComplete(await keptUntil(id, 1_059_999), 60_000, 2);
  });

  test('although the engine is killed, and then both', async () => {
    const id = await print(counting(80, 0.2));
    await sleep(1000);
    await engine.kill('SIGKILL');
    await sleep(300);
    await engine.restart();
    await sleep(500);
    await Promise.all([engine.kill('SIGKILL'), plugin.kill()]);
    // The engine comes first: it starts without its container's driver.
    await engine.restart();
    expect(await ok('inspect', '-f', '{{.State.Running}}', id)).toBe('true');
    await plugin.start();
    expectComplete(await keptUntil(id, 1_079_999), 80_000, 2);
  });

  test('a plugin that hangs holds up no container, no stop, no removal and no other start; then it gets everything', async () => {
    const id = await print(counting(20, 0.05));
    await expect.poll(() => plugin.kept(id).length, { timeout: longMs }).toBeGreaterThan(0);
    plugin.pause();
    // It prints far more than a pipe holds, and ends.
    expect(await ok('wait', id)).toBe('0');
    await ok('start', id);
    await ok('stop', '-t', '0', id);
    const other = await ok('create', '--network=none', 'busybox', 'echo', 'unmoved');
    expect(await ok('start', '-a', other)).toBe('unmoved');
    // It hung all the while.
    plugin.resume();
    await expect.poll(() => new Set(plugin.kept(id)).size, { timeout: longMs, interval: 200 }).toBe(20_000);
    const numbers = plugin.kept(id).map(Number);
    const first = numbers.slice(0, numbers.indexOf(1_019_999) + 1);
    expectComplete(first, 20_000, 1);
    await ok('rm', '-f', id);
  });

  test('a container that is removed at its end, of a plugin that is slow or dead', async () => {
    await using slow = await LogPlugin.start(engine, 'slow', '--slow-ms', '100');
    const options = ['--network=none', `--log-driver=${slow.name}`, '--rm', `--cidfile=${engine.directory}/cid`];
    await ok('run', ...options, 'busybox', 'seq', '1000000', '1059999');
    const id = readFileSync(join(engine.directory, 'cid'), 'utf8');
    await slow.kill();
    await slow.start();
    await expect.poll(() => Number(slow.kept(id).at(-1)), { timeout: longMs, interval: 200 }).toBe(1_059_999);
    expectComplete(slow.kept(id).map(Number), 60_000, 1);
    await expect.poll(() => readdirSync(join(engine.dataRoot, 'undelivered')), { timeout: longMs }).toEqual([]);
  });

  test('lines printed while the plugin was dead come after the container’s end, and after the engine’s', async () => {
    const id = await print('seq 1000000 1000009; while [ ! -e /go ]; do sleep 0.1; done; seq 1000010 1009999');
    await keptUntil(id, 1_000_009);
    await plugin.kill();
    await ok('exec', id, 'touch', '/go');
    await ok('wait', id);
    await engine.kill('SIGTERM');
    await engine.restart();
    expect((await deliveryOf())?.containers[0]).toMatchObject({ id, dropped: { lines: 0 } });
    await plugin.start();
    expectComplete(await keptUntil(id, 1_009_999), 10_000, 1);
  });
});

describe('a bound', () => {
  const small = ['--log-opt=cache-max-size=200k', '--log-opt=cache-max-file=2'];

  beforeAll(async () => {
    engine = await startEngine({ flags: ['--log-backlog=2m', '--metrics-addr=127.0.0.1:0'] });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  test('a plugin that hangs: the disk holds no more than the bound, the oldest is dropped, counted, shown and logged', async () => {
    const id = await print(counting(200, 0.02), ...small);
    await expect.poll(() => plugin.kept(id).length, { timeout: longMs }).toBeGreaterThan(0);
    plugin.pause();
    await ok('wait', id);
    await expect.poll(async () => (await deliveryOf())?.dropped.lines, { timeout: longMs }).toBeGreaterThan(0);
    const directory = join(engine.dataRoot, 'containers', id);
    const spooled = readdirSync(directory).filter((name) => name.startsWith('spool'));
    const bytes = spooled.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    expect(bytes).toBeLessThan(4 * 1024 * 1024);
    await plugin.kill();
    await plugin.start();
    const kept = await keptUntil(id, 1_199_999);
    const seen = new Set(kept);
    const { dropped } = (await deliveryOf()) ?? { dropped: { lines: 0, bytes: 0 } };
    // The newest is all there; of the oldest, each line was delivered or counted.
    expect([...seen].slice(-30_000)).toEqual(Array.from({ length: 30_000 }, (_, n) => 1_170_000 + n));
    expect(seen.size + dropped.lines).toBeGreaterThanOrEqual(200_000);
    expect(seen.size + dropped.lines).toBeLessThanOrEqual(200_000 + repeatedBytes / entryBytes);
    const { name } = plugin;
    expect(engine.log()).toMatch(
      new RegExp(`log driver ${name} does not keep up with a container: \\d+ lines \\(\\d+ bytes\\)`),
    );
    expect(await ok('info', '--format', '{{json .Warnings}}')).toMatch(
      new RegExp(`log driver ${name} did not get \\d+ lines`),
    );
    await using shown = new Program(cleat, ['log-drivers', '-H', `unix://${engine.socket}`]);
    await expect.poll(() => shown.said).toMatch(new RegExp(`^${name} +\\d+ +\\S+ +\\S+MB +\\d+`, 'm'));
    const [, metrics = ''] = /metrics API listening on ([\d.:]+)/.exec(engine.log()) ?? [];
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    expect(text).toMatch(new RegExp(`cleat_log_dropped_lines_total{driver="${name}"} ${dropped.lines}\\b`));
  });

  test('mode=non-blocking with a buffer of its own', async () => {
    const nonBlocking = ['--log-opt=mode=non-blocking', '--log-opt=max-buffer-size=100k'];
    const id = await print(counting(1, 0), ...nonBlocking);
    await keptUntil(id, 1_000_999);
    const held = await print('while [ ! -e /go ]; do sleep 0.1; done; seq 1000000 1039999', ...nonBlocking);
    plugin.pause();
    await ok('exec', held, 'touch', '/go');
    await ok('wait', held);
    await expect.poll(async () => (await deliveryOf())?.dropped.lines, { timeout: longMs }).toBeGreaterThan(30_000);
    // The output of `docker logs` has a bound of its own.
    expect((await ok('logs', held)).split('\n')).toHaveLength(40_000);
    plugin.resume();
    const kept = await keptUntil(held, 1_039_999);
    expect(kept.at(-1000)).toBe(1_039_000);
  });
});
