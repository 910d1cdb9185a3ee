import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createRawServer } from 'node:net';
import { join } from 'node:path';
import { shared } from '@cleat/protocol/async/shared-signal';
import { kinds } from '@cleat/protocol/kinds/index';
import { type CallOptions, type Client, type Kind, methodPath } from '@cleat/protocol/kinds/kind';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Extensions, type ExtensionsSettings, openExtensions } from './index.js';

/** One extension that is dead, hangs or is slow to come costs its own callers little, and others nothing. */

let directory: string;
let extensions: Extensions;
const closers: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-super-');
  extensions = open();
});
afterEach(async () => {
  await extensions.close();
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true });
});

function open(more: Partial<ExtensionsSettings> = {}): Extensions {
  const own = { dataRoot: directory, execRoot: directory, hostPath: '', log: silentLogger };
  return openExtensions({
    manifestPaths: [],
    overrides: {},
    variables: {},
    pluginDirectories: [directory],
    ...own,
    ...more,
  });
}

const socketOf = (name: string): string => join(directory, `${name}.sock`);
const allKinds = JSON.stringify({ Implements: kinds.map(({ name }) => name) });

/** Activates at once, unless it is to hang there, too; everything else is up to `answer`. */
async function plugin(name: string, answer: RequestListener): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === '/Plugin.Activate') response.end(allKinds);
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(socketOf(name), resolve));
  closers.push(() => close(server));
  return server;
}
const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

const works: RequestListener = (_request, response) => void response.end('{"Mountpoint":"/m"}');
const hangs: RequestListener = () => {};
const path = async (name: string): Promise<unknown> => (await extensions.get(volumeKind, name)).Path({ Name: 'v' });
const status = (name: string) => extensions.list().find((one) => one.name === name);

describe('a plugin that is slow to come', () => {
  test('is waited for, which is seen: why, and for how long still', async () => {
    writeFileSync(join(directory, 'late.spec'), `unix://${directory}/elsewhere`);
    const asked = path('late');
    await expect
      .poll(() => status('late'))
      .toMatchObject({
        state: 'activating',
        reason: `plugin "late" does not answer: there is no socket at unix://${directory}/elsewhere`,
      });
    const left = Number(status('late')?.waitsUntil) - Date.now();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(30_000);
    const server = createServer((request, response) => {
      request.resume();
      response.end(request.url === '/Plugin.Activate' ? allKinds : '{"Mountpoint":"/late"}');
    });
    await new Promise<void>((resolve) => server.listen(join(directory, 'elsewhere'), resolve));
    closers.push(() => close(server));
    expect(await asked).toEqual({ Mountpoint: '/late' });
    expect(status('late')).toMatchObject({ state: 'active', reason: '', waitsUntil: undefined });
  });
});

describe('a plugin that is dead', () => {
  test('costs one caller a wait; until something changes nobody else, and then nobody', async () => {
    const server = await plugin('dead', works);
    await path('dead');
    await close(server);
    await expect(path('dead')).rejects.toThrow('its socket is gone');
    // With a wait of seconds for each this would not end in the time that a test has.
    for (let call = 0; call < 200; call++) await expect(path('dead')).rejects.toThrow('its socket is gone');
    expect(status('dead')).toMatchObject({ state: 'unreachable', waitsUntil: undefined });
    await plugin('dead', works);
    expect(await path('dead')).toEqual({ Mountpoint: '/m' });
  });

  test('all who come while it does not answer the handshake share one, and leave it as they like', async () => {
    let connections = 0;
    const silent = createRawServer(() => void connections++).listen(socketOf('silent'));
    closers.push(() => silent.close());
    const impatient = { deadlineMs: 50 };
    const client = async () =>
      (await extensions.get(volumeKind, 'silent', { signal: AbortSignal.timeout(50) })).Path({ Name: 'v' }, impatient);
    await expect(client()).rejects.toThrow();
    await Promise.all(Array.from({ length: 50 }, () => expect(client()).rejects.toThrow()));
    expect(extensions.list()).toMatchObject([{ name: 'silent', state: 'activating' }]);
    expect(connections).toBe(1);
  });
});

describe('a plugin that hangs', () => {
  test('does not use up what others need: connections, and threads', async () => {
    await plugin('hung', hangs);
    await plugin('fine', works);
    const hung = await extensions.get(volumeKind, 'hung');
    const stop = new AbortController();
    const signal = shared(stop.signal);
    const calls = Array.from({ length: 1_000 }, () =>
      hung.Mount({ Name: 'v', ID: 'i' }, { signal }).catch((error: unknown) => error),
    );
    await expect.poll(() => status('hung')?.underWay).toBe(1_000);
    for (let call = 0; call < 20; call++) expect(await path('fine')).toEqual({ Mountpoint: '/m' });
    expect(await readFile('/proc/self/stat', 'utf8')).toBeTruthy();
    const sockets = process.getActiveResourcesInfo().filter((what) => what === 'PipeWrap').length;
    // Both ends are in this process.
    expect(sockets).toBeLessThan(2 * 300);
    stop.abort(new Error('enough'));
    for (const outcome of await Promise.all(calls)) expect(outcome).toMatchObject({ message: 'enough' });
    expect(status('hung')).toMatchObject({ underWay: 0 });
  });

  test('is suspended, and says when it is asked again', async () => {
    await plugin('hung', hangs);
    const hung = await extensions.get(volumeKind, 'hung');
    for (let call = 0; call < 3; call++)
      await expect(hung.Path({ Name: 'v' }, { deadlineMs: 20 })).rejects.toThrow('within');
    expect(status('hung')).toMatchObject({ health: 'suspended' });
    expect(Number(status('hung')?.suspendedUntil)).toBeGreaterThan(Date.now());
    await expect(path('hung')).rejects.toThrow('is not asked for now');
  });
});

test('a message that was sent once more is counted', async () => {
  let broken = 0;
  await plugin('shaky', (request, response) => {
    if (broken++ === 0) request.socket.destroy();
    else works(request, response);
  });
  expect(await path('shaky')).toEqual({ Mountpoint: '/m' });
  expect(status('shaky')).toMatchObject({ retries: 1, health: 'healthy' });
});

const contracts = kinds.flatMap((kind: Kind) =>
  Object.keys(kind.methods).map((method) => ({ kind, method, wire: methodPath(kind, method).slice(1) })),
);
type AnyClient = Readonly<Record<string, (request: unknown, options?: CallOptions) => Promise<unknown>>>;

/** Every kind in one module that never answers. */
function silentModule(): string {
  const module = join(directory, 'silent.mjs');
  const index = new URL('../protocol/kinds/index.ts', import.meta.url).href;
  writeFileSync(
    module,
    `import { kinds } from ${JSON.stringify(index)};
     const never = () => new Promise(() => {});
     const handlers = (kind) => Object.fromEntries(Object.keys(kind.methods).map((name) => [name, never]));
     export default { start: () => ({ implementations: kinds.map((kind) => ({ kind, handlers: handlers(kind) })) }) };`,
  );
  const manifest = join(directory, 'manifest.yaml');
  const names = kinds.map(({ name }) => name).join(', ');
  writeFileSync(manifest, `extensions: { silent: { driver: silent, module: ${module}, kinds: [${names}] } }`);
  return manifest;
}

describe.each(['in-process', 'socket'] as const)('deadlines of each method hold, on the carrier %s', (carrier) => {
  test.each(contracts)('$wire', async ({ kind, method, wire }) => {
    if (carrier === 'socket') await plugin('silent', hangs);
    const deadlines = { [wire]: 25, [method]: 40_000, '*': 50_000 };
    const configured = open({
      manifestPaths: carrier === 'in-process' ? [silentModule()] : [],
      overrides: { silent: { deadlines } },
    });
    closers.push(() => configured.close());
    const client = (await configured.get(kind, 'silent')) as Client<Kind> & AnyClient;
    await expect(client[method]?.({})).rejects.toMatchObject({
      class: 'DeadlineExceeded',
      message: `plugin "silent" did not answer ${wire} within 0.025 s`,
    });
    await expect(client[method]?.({}, { deadlineMs: 10 })).rejects.toMatchObject({
      message: `plugin "silent" did not answer ${wire} within 0.01 s`,
    });
  });
});
