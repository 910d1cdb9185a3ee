import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Extensions, openExtensions } from './index.js';

let directory: string;
let plugins: string;
let extensions: Extensions;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  directory = mkdtempSync('/tmp/cleat-ext-');
  plugins = join(directory, 'plugins');
  await mkdir(plugins);
  extensions = open();
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await extensions.close();
  rmSync(directory, { recursive: true });
});

function open(more: Partial<Parameters<typeof openExtensions>[0]> = {}): Extensions {
  return openExtensions({
    manifestPaths: [],
    overrides: {},
    variables: {},
    pluginDirectories: [plugins],
    dataRoot: join(directory, 'data'),
    execRoot: join(directory, 'exec'),
    hostPath: '/nonexistent',
    log: silentLogger,
    ...more,
  });
}

type Handler = (path: string, body: string, response: ServerResponse, request: IncomingMessage) => void;

/** A plugin as others write them: plain HTTP, nothing of ours. */
async function plugin(where: string | number, handle: Handler, implemented = ['VolumeDriver']) {
  const seen: { path: string; body: string; accept: string | undefined }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const path = request.url ?? '';
      seen.push({ path, body, accept: request.headers.accept });
      if (path === '/Plugin.Activate') response.end(JSON.stringify({ Implements: implemented }));
      else handle(path, body, response, request);
    });
  });
  const address = typeof where === 'number' ? { port: where, host: '127.0.0.1' } : { path: where };
  await new Promise<void>((resolve) => server.listen(address, resolve));
  const close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    });
  cleanups.push(close);
  const bound = server.address();
  return { seen, close, server, port: typeof bound === 'object' && bound ? bound.port : 0 };
}

const answer =
  (value: unknown, status = 200): Handler =>
  (_path, _body, response) => {
    response.statusCode = status;
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  };

const get = (name: string) => extensions.get(volumeKind, name);
const withClass = (errorClass: string, message: RegExp | string) =>
  expect.objectContaining({
    class: errorClass,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });

describe('connections', () => {
  /** The connections of each call, numbered as they came. */
  function numbered(calls: string[]): Handler {
    const known: unknown[] = [];
    return (path, _body, response, { socket }) => {
      if (!known.includes(socket)) known.push(socket);
      calls.push(`${path.split('.')[1]} on ${known.indexOf(socket) + 1}`);
      response.end('{}');
    };
  }

  test('a connection that was closed meanwhile is replaced in silence', async () => {
    const calls: string[] = [];
    const handle = numbered(calls);
    await plugin(join(plugins, 'p.sock'), (path, body, response, request) => {
      if (calls.length !== 1) return handle(path, body, response, request);
      calls.push('broken');
      request.socket.destroy();
    });
    const driver = await get('p');
    await driver.Get({ Name: 'v' });
    await driver.Get({ Name: 'v' });
    expect(calls).toEqual(['Get on 1', 'broken', 'Get on 2']);
    expect(extensions.list()).toMatchObject([{ name: 'p', state: 'active', health: 'healthy', lastError: undefined }]);
  });
});

describe('discovery', () => {
  test('a socket that appears later is found, speaks the v1.2 protocol, and wins over a spec', async () => {
    await expect(get('late')).rejects.toEqual(
      withClass('NotFound', 'plugin "late" not found (known for VolumeDriver: none)'),
    );
    writeFileSync(join(plugins, 'late.spec'), 'tcp://127.0.0.1:1');
    const { seen } = await plugin(join(plugins, 'late.sock'), answer({ Mountpoint: '/m' }));
    const driver = await get('late');
    expect(await driver.Mount({ Name: 'v', ID: 'i' })).toEqual({ Mountpoint: '/m' });
    expect(seen.map(({ path }) => path)).toEqual(['/Plugin.Activate', '/VolumeDriver.Mount']);
    expect(seen[1]).toMatchObject({
      body: '{"Name":"v","ID":"i"}',
      accept: 'application/vnd.docker.plugins.v1.2+json',
    });
    expect(extensions.names(volumeKind)).toEqual(['late']);
  });

  test('a subdirectory, a .spec and a .json are found; what cannot be read says so', async () => {
    await mkdir(join(plugins, 'sub'));
    await plugin(join(plugins, 'sub', 'sub.sock'), answer({ Mountpoint: '/sub' }));
    const { port } = await plugin(0, answer({ Mountpoint: '/tcp' }));
    writeFileSync(join(plugins, 'spec.spec'), `tcp://127.0.0.1:${port}\n`);
    writeFileSync(join(plugins, 'json.json'), JSON.stringify({ name: 'x', addr: `http://127.0.0.1:${port}` }));
    writeFileSync(join(plugins, 'bad.json'), '{');
    for (const [name, path] of [
      ['sub', '/sub'],
      ['spec', '/tcp'],
      ['json', '/tcp'],
    ] as const) {
      expect(await (await get(name)).Path({ Name: 'v' })).toEqual({ Mountpoint: path });
    }
    await expect(get('bad')).rejects.toEqual(withClass('InvalidParameter', /not JSON/));
    expect(extensions.list().map(({ name }) => name)).toEqual(expect.arrayContaining(['sub', 'spec', 'json', 'bad']));
    await expect(get('../plugins/sub')).rejects.toEqual(withClass('NotFound', /not found/));
  });

  test('a plugin that starts listening two seconds after it was asked for is waited for', async () => {
    const { port, close } = await plugin(0, answer({}));
    await close();
    writeFileSync(join(plugins, 'slow.spec'), `tcp://127.0.0.1:${port}`);
    const wanted = get('slow');
    await sleep(2000);
    await plugin(port, answer({ Mountpoint: '/slow' }));
    expect(await (await wanted).Path({ Name: 'v' })).toEqual({ Mountpoint: '/slow' });
  });

  test('a stale socket is reported, and does not hold up others', async () => {
    const path = join(plugins, 'stale.sock');
    const child = createServer().listen(path);
    await sleep(50);
    // As a kill leaves it: the file stays, nobody listens.
    await abandon(child, path);
    const stale = get('stale').catch((error: unknown) => error);
    await plugin(join(plugins, 'fine.sock'), answer({ Mountpoint: '/fine' }));
    expect(await (await get('fine')).Path({ Name: 'v' })).toEqual({ Mountpoint: '/fine' });
    expect(await stale).toEqual(withClass('Unavailable', /plugin "stale" does not answer: nobody listens/));
    expect(extensions.list().find(({ name }) => name === 'stale')).toMatchObject({ state: 'unreachable' });
  });

  test('a plugin that implements something else is refused by name', async () => {
    await plugin(join(plugins, 'net.sock'), answer({}), ['NetworkDriver']);
    await expect(get('net')).rejects.toEqual(withClass('InvalidParameter', /does not implement VolumeDriver/));
  });
});

describe('answers', () => {
  const cases: [string, unknown, number, string, RegExp][] = [
    ['an error with a status', { Err: 'no space' }, 500, 'System', /^VolumeDriver\.Create: no space$/],
    ['an error without a status', { err: 'no space' }, 200, 'System', /^no space$/],
    ['an error with a class', { Err: 'taken', Class: 'Conflict' }, 500, 'Conflict', /^taken$/],
    [
      'a class that is not its to claim',
      { Err: 'x', Class: 'Unauthorized' },
      500,
      'System',
      /^VolumeDriver\.Create: x$/,
    ],
    ['plain text', 'out of order', 500, 'System', /^VolumeDriver\.Create: out of order$/],
    ['nothing', '', 500, 'System', /answered status 500/],
    ['a missing method', 'nope', 404, 'NotImplemented', /does not implement VolumeDriver\.Create/],
    ['garbage', '<html>', 200, 'Unavailable', /not a JSON object/],
  ];
  test.each(cases)('%s', async (_what, value, status, errorClass, message) => {
    await plugin(join(plugins, 'p.sock'), answer(value, status));
    const driver = await get('p');
    await expect(driver.Create({ Name: 'v' })).rejects.toEqual(withClass(errorClass, message));
  });

  test('an empty body and null are success; a missing optional method is undefined; keys match in any case', async () => {
    await plugin(join(plugins, 'p.sock'), (path, _body, response) => {
      if (path.endsWith('Create')) response.end();
      else if (path.endsWith('Remove')) response.end('null');
      else if (path.endsWith('Get')) response.end('{"volume":{"name":"v","MountPoint":"/m","extra":1}}');
      else response.writeHead(404).end('404 page not found');
    });
    const driver = await get('p');
    expect(await driver.Create({ Name: 'v' })).toEqual({});
    expect(await driver.Remove({ Name: 'v' })).toEqual({});
    expect(await driver.Get({ Name: 'v' })).toEqual({ Volume: { Name: 'v', Mountpoint: '/m' } });
    expect(await driver.Capabilities({})).toBeUndefined();
  });

  test('a shape that the protocol does not have, and an endless answer', async () => {
    await plugin(join(plugins, 'p.sock'), (path, _body, response) => {
      if (path.endsWith('Path')) response.end('{"Mountpoint":["/m"]}');
      else {
        const more = () => {
          while (response.write('x'.repeat(1 << 20)));
        };
        response.on('drain', more);
        more();
      }
    });
    const driver = await get('p');
    await expect(driver.Path({ Name: 'v' })).rejects.toEqual(withClass('Unavailable', /in a shape/));
    await expect(driver.Mount({ Name: 'v', ID: 'i' })).rejects.toEqual(withClass('Unavailable', /more than \d+ bytes/));
  });
});

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

/** Leaves the socket file behind without a listener. */
async function abandon(server: ReturnType<typeof createServer>, path: string): Promise<void> {
  renameSync(path, `${path}.kept`);
  await new Promise((resolve) => server.close(resolve));
  renameSync(`${path}.kept`, path);
}
