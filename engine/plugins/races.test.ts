import { silentLogger } from '@cleat/protocol/log';
import { expect, test } from 'vitest';
import { startRegistry } from '../distribution/registry.fixture.js';
import type { Store } from '../store/service.js';
import { openBench } from './plugins.fixture.js';
import type { PluginRecord } from './record.js';
import { PluginRegistry } from './registry.js';

test('an upgrade that an engine was killed in is kept when it answers, unless its user has changed it by then', async () => {
  await using registry = await startRegistry();
  await using bench = await openBench();
  const name = `${registry.host}/me/plugin`;
  for (const tag of ['v1', 'v2']) {
    await bench.create(`${name}:${tag}`, { Description: tag }, [{ name: 'plugin', content: tag }]);
    await bench.push(`${name}:${tag}`);
    await bench.plugins.remove(`${name}:${tag}`, { force: false });
  }
  await bench.pull(`${name}:v1`, { name: 'mine' });
  await bench.upgrade('mine', `${name}:v2`);
  // The engine is killed while its user waits for it.
  let asked = 0;
  let answer = () => {};
  const answering = () => {
    asked++;
    return new Promise<void>((resolve) => {
      answer = resolve;
    });
  };
  bench.answer = answering;
  bench.plugins.enable('mine', 0).catch(() => {});
  await expect.poll(() => asked).toBe(1);
  await bench.reopen();
  await expect.poll(() => asked).toBe(2);
  await bench.plugins.disable('mine', { force: true });
  answer();
  await bench.plugins.settled();
  expect(bench.plugins.inspect('mine')).toMatchObject({ Enabled: false, Cleat: { Previous: expect.any(String) } });
  // Left alone, it is kept.
  bench.plugins.enable('mine', 0).catch(() => {});
  await expect.poll(() => asked).toBe(3);
  await bench.reopen();
  await expect.poll(() => asked).toBe(4);
  answer();
  await bench.plugins.settled();
  expect(bench.plugins.inspect('mine')).toMatchObject({ Enabled: true, Config: { Description: 'v2' } });
  expect(bench.plugins.inspect('mine')).not.toHaveProperty('Cleat.Previous');
  expect((await bench.left()).layers).toHaveLength(1);
});

test('a plugin that does not answer is disabled or removed by force, however long its user would wait', async () => {
  await using bench = await openBench();
  await bench.create('me/plugin');
  const { plugins } = bench;
  bench.answer = (_, signal) =>
    new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  const enabling = () => plugins.enable('me/plugin', 1e12).catch((error: unknown) => error);
  const first = enabling();
  await expect.poll(() => bench.running.size).toBe(1);
  await plugins.disable('me/plugin', { force: true });
  expect(await first).toMatchObject({ message: expect.stringContaining('disabled by force') });
  expect(plugins.inspect('me/plugin').Enabled).toBe(false);
  const second = enabling();
  await expect.poll(() => bench.running.size).toBe(1);
  await plugins.remove('me/plugin', { force: true });
  expect(await second).toBeInstanceOf(Error);
  expect(plugins.list({})).toEqual([]);
});

test('a record that the store refuses is not in memory either', () => {
  const refuse = () => {
    throw new Error('no space left on device');
  };
  const store = { collection: () => ({ entries: () => [], put: refuse }) } as unknown as Store;
  const registry = new PluginRegistry(store, silentLogger);
  const record = { id: 'a', name: 'a:latest', package: { config: '{"Interface":{"Types":[],"Socket":"s"}}' } };
  expect(() => registry.put(record as unknown as PluginRecord)).toThrow('no space left');
  expect(registry.all()).toEqual([]);
});
