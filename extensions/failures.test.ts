import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { describe, expect, test } from 'vitest';
import {
  answer,
  cleanups,
  directory,
  extensions,
  get,
  open,
  plugin,
  plugins,
  registryForTests,
  withClass,
} from './registry.fixture.js';

registryForTests();

describe('failures', () => {
  test('a plugin that does one call after the other is not taken for hung while an earlier one has time left', async () => {
    let mounted: (() => void) | undefined;
    await plugin(join(plugins, 'serial.sock'), (path, _body, response) => {
      if (path === '/VolumeDriver.Mount') mounted = () => response.end('{"Mountpoint":"/m"}');
      else if (!mounted) response.end('{}');
    });
    const driver = await get('serial');
    const mount = driver.Mount({ Name: 'v', ID: 'i' });
    await expect.poll(() => mounted).toBeDefined();
    for (let i = 0; i < 5; i++) {
      await expect(driver.List({}, { deadlineMs: 20 })).rejects.toEqual(withClass('DeadlineExceeded', /List within/));
    }
    expect(extensions.list().find(({ name }) => name === 'serial')).toMatchObject({ state: 'active' });
    mounted?.();
    expect(await mount).toEqual({ Mountpoint: '/m' });
  });

  test('a hang costs its caller a deadline, others nothing, and after three nobody waits', async () => {
    await plugin(join(plugins, 'hung.sock'), (path, _body, response) => {
      if (path.endsWith('Path')) response.end('{"Mountpoint":"/m"}');
    });
    const driver = await get('hung');
    const hang = () => driver.Mount({ Name: 'v', ID: 'i' }, { deadlineMs: 50 });
    await expect(hang()).rejects.toEqual(
      withClass('DeadlineExceeded', /did not answer VolumeDriver.Mount within 0.05 s/),
    );
    expect(await driver.Path({ Name: 'v' })).toEqual({ Mountpoint: '/m' });
    for (let i = 0; i < 3; i++) await expect(hang()).rejects.toEqual(withClass('DeadlineExceeded', /within/));
    await expect(driver.Path({ Name: 'v' })).rejects.toEqual(withClass('Unavailable', /is not asked for now/));
    expect(extensions.list()).toMatchObject([{ name: 'hung', state: 'unreachable' }]);
  });

  test('a caller that goes away is not waited for, and not held against the extension', async () => {
    await plugin(join(plugins, 'p.sock'), () => {});
    const driver = await get('p');
    const stop = new AbortController();
    const call = driver.Mount({ Name: 'v', ID: 'i' }, { signal: stop.signal });
    stop.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    expect(extensions.list()).toMatchObject([{ state: 'active' }]);
  });

  test('dying in the middle of a call: repeated only when that is harmless; a successor is used without restart', async () => {
    const path = join(plugins, 'p.sock');
    let calls = 0;
    const first = await plugin(path, (_path, _body, response) => {
      calls++;
      response.destroy();
    });
    const driver = await get('p');
    await expect(driver.Mount({ Name: 'v', ID: 'i' })).rejects.toEqual(withClass('Unavailable', /connection .* broke/));
    expect(calls).toBe(1);
    await expect(driver.Get({ Name: 'v' })).rejects.toEqual(withClass('Unavailable', /connection .* broke/));
    expect(calls).toBe(3);
    await first.close();
    await rm(path, { force: true });
    const mounting = driver.Mount({ Name: 'v', ID: 'i' });
    await sleep(300);
    await plugin(path, answer({ Mountpoint: '/successor' }));
    expect(await mounting).toEqual({ Mountpoint: '/successor' });
  });
});

describe('statistics', () => {
  const status = (name: string) => extensions.list().find((one) => one.name === name);
  const resultsOf = (name: string, method: string) =>
    status(name)?.methods.find((one) => one.method === method)?.results;

  test('an extension that was in use and vanished is shown so, before anybody calls it', async () => {
    const { close } = await plugin(join(plugins, 'p.sock'), answer({ Mountpoint: '/m' }));
    await (await get('p')).Path({ Name: 'v' });
    await close();
    expect(status('p')).toMatchObject({ state: 'unreachable', reason: 'its socket is gone' });
    expect(status('p')?.since).toEqual(status('p')?.since);
    await plugin(join(plugins, 'p.sock'), answer({ Mountpoint: '/m' }));
    await (await get('p')).Path({ Name: 'v' });
    expect(status('p')).toMatchObject({ state: 'active', reason: '' });
  });

  test('calls by how they ended, the last failure, and whether it is well', async () => {
    await plugin(join(plugins, 'p.sock'), (path, _body, response) => {
      if (path.endsWith('Get')) response.writeHead(500).end('{"Err":"no such volume"}');
      else if (path.endsWith('Path')) response.end('{"Mountpoint":"/m"}');
      else if (path.endsWith('Remove')) response.destroy();
    });
    extensions.names(volumeKind);
    expect(status('p')).toMatchObject({ health: 'unknown', lastError: undefined, methods: [] });
    const driver = await get('p');
    await driver.Path({ Name: 'v' });
    await driver.Path({ Name: 'v' });
    await expect(driver.Get({ Name: 'v' })).rejects.toThrow();
    expect(status('p')).toMatchObject({
      health: 'healthy',
      lastError: { method: 'VolumeDriver.Get', result: 'error', message: 'VolumeDriver.Get: no such volume' },
    });
    const path = status('p')?.methods.find(({ method }) => method === 'VolumeDriver.Path');
    expect(path?.results).toMatchObject({ ok: 2, error: 0 });
    expect(path?.latency.count).toBe(2);
    expect(path?.latency.atMostMs['+Inf']).toBe(2);
    expect(path?.latency.sumMs).toBeGreaterThanOrEqual(path?.latency.maxMs ?? Number.POSITIVE_INFINITY);
    expect(resultsOf('p', 'Plugin.Activate')).toMatchObject({ ok: 1 });

    const stop = new AbortController();
    const given = driver.Create({ Name: 'v' }, { signal: stop.signal });
    stop.abort(new Error('gone'));
    await expect(given).rejects.toThrow('gone');
    expect(resultsOf('p', 'VolumeDriver.Create')).toMatchObject({ cancelled: 1 });
    expect(status('p')).toMatchObject({ health: 'healthy', lastError: { method: 'VolumeDriver.Get' } });

    await expect(driver.Remove({ Name: 'v' })).rejects.toThrow('broke');
    expect(status('p')).toMatchObject({ health: 'failing', lastError: { result: 'unreachable' } });
    expect(resultsOf('p', 'VolumeDriver.Remove')).toMatchObject({ unreachable: 1 });

    // It is found again first: that may take longer than the deadline of what hangs.
    await driver.Path({ Name: 'v' });
    const hang = () => driver.Mount({ Name: 'v', ID: 'i' }, { deadlineMs: 20 });
    for (let i = 0; i < 3; i++) await expect(hang()).rejects.toThrow('within');
    await expect(hang()).rejects.toThrow('is not asked for now');
    expect(resultsOf('p', 'VolumeDriver.Mount')).toMatchObject({ timeout: 3, blocked: 1 });
    expect(status('p')).toMatchObject({ health: 'suspended', lastError: { result: 'blocked' } });
  });
});

describe('deadlines', () => {
  test('the operator’s hold over the contract’s: the method of a kind before the method before all', async () => {
    const module = join(directory, 'slow.mjs');
    const kind = new URL('../protocol/kinds/volume.ts', import.meta.url).href;
    writeFileSync(
      module,
      `import { volumeKind as kind } from ${JSON.stringify(kind)};
       const never = () => new Promise(() => {});
       const names = ['Create', 'Remove', 'Mount', 'Unmount', 'Path', 'Get', 'List'];
       export default { start: () => ({ implementations: [{ kind, handlers: Object.fromEntries(names.map((name) => [name, never])) }] }) };`,
    );
    const manifest = join(directory, 'manifest.yaml');
    writeFileSync(
      manifest,
      `extensions: { slow: { driver: slow, module: ${module}, kinds: [VolumeDriver], deadlines: { "*": 60, Mount: 40 } } }`,
    );
    const overrides = { slow: { deadlines: { 'VolumeDriver.Get': 20, Get: 1 } } };
    const configured = open({ manifestPaths: [manifest], overrides });
    cleanups.push(() => configured.close());
    const driver = await configured.get(volumeKind, 'slow');
    const late = (ms: number) => withClass('DeadlineExceeded', new RegExp(`within ${ms / 1000} s$`));
    await expect(driver.Get({ Name: 'v' })).rejects.toEqual(late(20));
    await expect(driver.Mount({ Name: 'v', ID: 'i' })).rejects.toEqual(late(40));
    await expect(driver.Path({ Name: 'v' })).rejects.toEqual(late(60));
    expect(configured.list()).toMatchObject([
      { deadlines: { '*': 60, Mount: 40, 'VolumeDriver.Get': 20, Get: 1 }, health: 'suspended' },
    ]);
  });

  test('a discovered plugin has its own, too', async () => {
    const configured = open({ overrides: { found: { deadlines: { Mount: 30 } } } });
    cleanups.push(() => configured.close());
    await plugin(join(plugins, 'found.sock'), () => {});
    const driver = await configured.get(volumeKind, 'found');
    await expect(driver.Mount({ Name: 'v', ID: 'i' })).rejects.toEqual(
      withClass('DeadlineExceeded', 'plugin "found" did not answer VolumeDriver.Mount within 0.03 s'),
    );
  });

  test('a name that nobody could mean is refused', () => {
    const manifest = join(directory, 'manifest.yaml');
    writeFileSync(manifest, 'extensions: { a: { driver: a, module: a.js, kinds: [], deadlines: { Mount: -1 } } }');
    expect(() => open({ manifestPaths: [manifest] })).toThrow(/Mount: -1 is no deadline/);
  });
});
