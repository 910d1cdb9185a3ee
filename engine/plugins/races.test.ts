import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
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

test.each([
  ['while it runs', true],
  ['and is then enabled', false],
])(
  'an upgrade that does not answer is taken back whenever the engine is killed: a plugin that is upgraded %s',
  async (_, runs) => {
    await using registry = await startRegistry();
    const name = `${registry.host}/me/plugin`;
    const broken = async (description: string) => {
      if (description === 'v2') throw new Error('v2 is broken');
    };
    for (let changes = 0, isOver = false; !isOver; changes++) {
      await using bench = await openBench();
      for (const tag of ['v1', 'v2']) {
        await bench.create(`${name}:${tag}`, { Description: tag, Cleat: { UpgradeInUse: 'drain' } }, [
          { name: 'plugin', content: tag },
        ]);
        await bench.push(`${name}:${tag}`);
        await bench.plugins.remove(`${name}:${tag}`, { force: false });
      }
      await bench.pull(`${name}:v1`, { name: 'mine' });
      if (runs) await bench.plugins.enable('mine', 0);
      else await bench.upgrade('mine', `${name}:v2`);
      bench.answer = broken;
      bench.events.length = 0;
      bench.killAfter(changes);
      const work = runs ? bench.upgrade('mine', `${name}:v2`) : bench.plugins.enable('mine', 0);
      const told = await work.then(String, String);
      isOver = !`${told} ${JSON.stringify(await work.catch(() => ''))}`.includes('the engine was killed');
      await bench.reopen();
      await bench.plugins.settled();
      // A change that was never begun has left all as it was; any other is finished.
      const isUntouched = changes === 0;
      const now = bench.plugins.inspect('mine');
      expect([changes, now.PluginReference, now.Enabled]).toEqual([
        changes,
        `${name}:${isUntouched && !runs ? 'v2' : 'v1'}`,
        !isUntouched || runs,
      ]);
      if (now.Enabled) expect(bench.running.get('mine:latest')).toBe('v1');
      expect((await bench.left()).layers).toHaveLength(isUntouched && !runs ? 2 : 1);
      const events = bench.events.filter(({ attributes }) => attributes.upgradeTakenBack !== undefined);
      if (isUntouched) expect(events).toEqual([]);
      else
        expect(events[0]).toMatchObject({
          action: 'enable',
          attributes: { name: 'mine:latest', why: expect.any(String) },
        });
      // It is told once.
      if (isOver) expect(events).toHaveLength(1);
      await bench.reopen();
      await bench.plugins.settled();
      expect(bench.events.filter(({ attributes }) => attributes.upgradeTakenBack !== undefined)).toHaveLength(
        events.length,
      );
      if (changes > 10) throw new Error('it does not end');
    }
  },
);

/** The same registry, which keeps back what follows the configuration of a plugin until it is let go. */
async function holding(host: string) {
  let blobs = 0;
  let arrive = () => {};
  let letGo = () => {};
  const gate = { asked: new Promise<void>(() => {}), open: Promise.resolve(), close() {}, letGo: () => letGo() };
  gate.close = () => {
    blobs = 0;
    gate.asked = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    gate.open = new Promise<void>((resolve) => {
      letGo = resolve;
    });
  };
  const server = createServer((incoming, response) => {
    const isHeld = incoming.method === 'GET' && incoming.url?.includes('/blobs/') && ++blobs === 2;
    if (isHeld) arrive();
    void (isHeld ? gate.open : Promise.resolve()).then(() => {
      const { method, url: path, headers } = incoming;
      const [hostname, port] = host.split(':');
      const onward = request({ hostname, port, method, path, headers: { ...headers, host } }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      incoming.pipe(onward);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    gate,
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('while a package is on its way, the present one may be used, changed and removed', async () => {
  await using registry = await startRegistry();
  await using slow = await holding(registry.host);
  await using bench = await openBench();
  const { gate } = slow;
  const name = `${registry.host}/me/plugin`;
  const remote = `${slow.host}/me/plugin`;
  for (const tag of ['v1', 'v2', 'v3']) {
    await bench.create(`${name}:${tag}`, { Description: tag, Cleat: { UpgradeInUse: 'drain' } }, [
      { name: 'plugin', content: tag },
    ]);
    await bench.push(`${name}:${tag}`);
    await bench.plugins.remove(`${name}:${tag}`, { force: false });
  }
  const { plugins } = bench;
  await bench.pull(`${name}:v1`, { name: 'mine' });
  gate.close();
  const upgrade = bench.upgrade('mine', `${remote}:v2`);
  await gate.asked;
  await plugins.set('mine', ['DEBUG=7']);
  await plugins.enable('mine', 0);
  await plugins.disable('mine', { force: false });
  expect(plugins.inspect('mine').Enabled).toBe(false);
  gate.letGo();
  await upgrade;
  // Settings of the meantime are kept.
  expect(plugins.inspect('mine')).toMatchObject({
    PluginReference: `${remote}:v2`,
    Settings: { Env: ['DEBUG=7', 'PASSWORD='] },
  });
  await plugins.enable('mine', 0);
  // Another upgrade is quicker.
  gate.close();
  const late = bench.upgrade('mine', `${remote}:v3`);
  await gate.asked;
  await bench.upgrade('mine', `${name}:v1`);
  gate.letGo();
  expect((await late).at(-1)?.error).toBe('plugin mine:latest was upgraded meanwhile: look at it, and try again');
  expect(bench.running.get('mine:latest')).toBe('v1');
  // It is removed meanwhile.
  gate.close();
  const vain = bench.upgrade('mine', `${remote}:v3`);
  await gate.asked;
  await plugins.remove('mine', { force: true });
  gate.letGo();
  expect((await vain).at(-1)?.error).toMatch(/^plugin "\w+" not found$/);
  expect(await bench.left()).toEqual({ blobs: [], layers: [] });
  // Its name is taken meanwhile.
  gate.close();
  const pull = bench.pull(`${remote}:v3`, { name: 'mine' });
  await gate.asked;
  await bench.create('mine', { Description: 'mine' });
  gate.letGo();
  expect((await pull).at(-1)?.error).toBe('plugin mine:latest already exists');
  expect(plugins.inspect('mine').Config.Description).toBe('mine');
  expect((await bench.left()).layers).toHaveLength(1);
});
