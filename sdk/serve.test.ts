import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { get, request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defineExtension, implement, logKind, notFound, serve, volumeKind } from './index.js';
import { startForTest } from './testing.js';

let directory: string;
let socket: string;
let release: ((value: { Mountpoint: string }) => void) | undefined;
let closed: boolean;
let aborted: boolean;

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-sdk-');
  socket = join(directory, 'sub', 'x.sock');
  release = undefined;
  closed = false;
  aborted = false;
});
afterEach(() => rmSync(directory, { recursive: true }));

const extension = defineExtension({
  start: ({ options }) => ({
    implementations: [
      implement(volumeKind, {
        Create: ({ Name, Opts }) => {
          if (Name === 'bad') throw new Error('it is bad');
          if (Name === 'gone') throw notFound('it is gone');
          if (JSON.stringify(Opts) !== JSON.stringify(options)) throw new Error(`got ${JSON.stringify(Opts)}`);
        },
        Remove: () => {},
        Mount: (_, { signal }) =>
          new Promise((resolve) => {
            release = resolve;
            signal.addEventListener('abort', () => {
              aborted = true;
            });
          }),
        Unmount: () => {},
        Path: () => ({ Mountpoint: '/p' }),
        Get: () => ({ Volume: null }),
        List: () => ({ Volumes: [] }),
      }),
      implement(logKind, {
        StartLogging() {},
        StopLogging() {},
        async *ReadLogs() {
          yield new Uint8Array([0, 1, 2]);
          yield new Uint8Array([255]);
        },
      }),
    ],
    close: () => {
      closed = true;
    },
  }),
});

const start = (more = {}) => serve(extension, { name: 'x', socket, options: { a: '1' }, log: silentLogger, ...more });

function post(path: string, body = '{}', where: object = { socketPath: socket }) {
  const sent = request({ ...where, path, method: 'POST', agent: false });
  const answer = new Promise<{ status: number; body: Buffer }>((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
  });
  sent.end(body);
  return Object.assign(answer, { abandon: () => sent.destroy() });
}
const text = async (path: string, body?: string, where?: object) => {
  const { status, body: bytes } = await post(path, body, where);
  return `${status} ${bytes}`;
};

const health = (): Promise<unknown> =>
  new Promise((resolve, reject) => {
    get({ socketPath: socket, path: '/health', agent: false }, (response) => resolve(json(response))).on(
      'error',
      reject,
    );
  });

test('speaks the protocol: activation, keys in any case, errors with their class, optional and unknown methods', async () => {
  await using served = await start();
  expect(served.address).toBe(`unix://${socket}`);
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  expect(await text('/Plugin.Activate', '')).toBe('200 {"Implements":["VolumeDriver","LogDriver"]}');
  expect(await text('/VolumeDriver.Create', '{"name":"v","OPTS":{"a":"1"},"new":1}')).toBe('200 {}');
  expect(await text('/VolumeDriver.Create', '{"Name":"bad"}')).toBe('500 {"Err":"it is bad"}');
  expect(await text('/VolumeDriver.Create', '{"Name":"gone"}')).toBe('500 {"Err":"it is gone","Class":"NotFound"}');
  expect(await text('/VolumeDriver.Create', '{"Name":5}')).toMatch(/^400 .*cannot read the request/);
  expect(await text('/VolumeDriver.Create', '{')).toMatch(/^400 /);
  expect(await text('/VolumeDriver.Capabilities')).toBe('404 not found');
  expect(await text('/constructor')).toBe('404 not found');
  expect((await post('/VolumeDriver.Create', 'x'.repeat(33 << 20)).catch(() => ({ status: 413 }))).status).toBe(413);
  expect((await post('/LogDriver.ReadLogs')).body).toEqual(Buffer.from([0, 1, 2, 255]));
});

test('closes in peace: the call under way is answered, new ones are not taken, then the module is closed', async () => {
  const served = await start();
  const mounting = text('/VolumeDriver.Mount', '{"Name":"v","ID":"i"}');
  await expect.poll(() => release).toBeDefined();
  const closing = served.close();
  await expect(text('/VolumeDriver.List')).rejects.toThrow();
  expect(closed).toBe(false);
  release?.({ Mountpoint: '/m' });
  expect(await mounting).toBe('200 {"Mountpoint":"/m"}');
  await closing;
  expect(closed).toBe(true);
  expect(existsSync(socket)).toBe(false);
});

test('a handler hears that its caller went away', async () => {
  await using served = await start({ graceMs: 0 });
  expect(served.address).toContain(socket);
  const call = post('/VolumeDriver.Mount', '{"Name":"v","ID":"i"}');
  call.catch(() => {}); // Abandoned on purpose.
  await expect.poll(() => release).toBeDefined();
  call.abandon();
  await expect.poll(() => aborted).toBe(true);
  release?.({ Mountpoint: '/m' });
});

test('a stale socket is replaced, a living one is not', async () => {
  await (await start()).close();
  const crashed = createServer().listen(socket);
  await expect.poll(() => existsSync(socket)).toBe(true);
  renameSync(socket, `${socket}.kept`);
  await new Promise((resolve) => crashed.close(resolve));
  renameSync(`${socket}.kept`, socket);
  await using served = await start();
  expect(await text('/VolumeDriver.Path', '{"Name":"v"}')).toBe('200 {"Mountpoint":"/p"}');
  await expect(start()).rejects.toMatchObject({ class: 'Conflict' });
  expect(await text('/VolumeDriver.Path', '{"Name":"v"}')).toBe('200 {"Mountpoint":"/p"}');
  expect(served.address).toContain(socket);
});

test('on TCP, with a spec file that engines discover', async () => {
  const specFile = join(directory, 'x.spec');
  const served = await start({ socket: undefined, tcp: { specFile } });
  const address = readFileSync(specFile, 'utf8').trim();
  expect(address).toBe(served.address);
  const { hostname: host, port } = new URL(address.replace('tcp:', 'http:'));
  expect(await text('/VolumeDriver.Path', '{"Name":"v"}', { host, port })).toBe('200 {"Mountpoint":"/p"}');
  await served.close();
  expect(existsSync(specFile)).toBe(false);
});

test('a spec file is written whole, with its directory, and left to the process that wrote it since', async () => {
  const specFile = join(directory, 'etc/plugins/x.spec');
  const served = await start({ socket: undefined, tcp: { specFile } });
  expect(statSync(specFile).mode & 0o777).toBe(0o644);
  expect(readdirSync(join(directory, 'etc/plugins'))).toEqual(['x.spec']);
  writeFileSync(specFile, 'tcp://127.0.0.1:1\n');
  await served.close();
  expect(readFileSync(specFile, 'utf8')).toBe('tcp://127.0.0.1:1\n');
  closed = false;
  writeFileSync(join(directory, 'file'), '');
  const within = { socket: undefined, tcp: { specFile: join(directory, 'file/x.spec') } };
  await expect(start(within)).rejects.toThrow('cannot be written');
  expect(closed).toBe(true);
});

test('a file that is no socket is not replaced', async () => {
  const precious = join(directory, 'precious');
  writeFileSync(precious, 'kept');
  await expect(start({ socket: precious })).rejects.toThrow('is no socket: remove it first');
  expect(readFileSync(precious, 'utf8')).toBe('kept');
});

test('places that make no sense together are refused', async () => {
  for (const more of [
    { tcp: {} },
    { socket: undefined },
    { socket: undefined, fd: 3, tcp: {} },
    { socket: undefined, tcp: { specFile: '/x.json' } },
    { socket: undefined, tcp: { specFile: '/x.spec', specTls: { caFile: '/ca.pem' } } },
  ]) {
    await expect(start(more)).rejects.toMatchObject({ class: 'InvalidParameter' });
  }
});

test('a stream that is followed ends when the extension is stopped, in peace', async () => {
  const following = defineExtension({
    start: () => ({
      implementations: [
        implement(logKind, {
          StartLogging() {},
          StopLogging() {},
          async *ReadLogs(_, { signal }) {
            yield new Uint8Array([1]);
            await once(signal, 'abort');
            yield new Uint8Array([2]);
          },
        }),
      ],
    }),
  });
  const served = await serve(following, { name: 'x', socket, log: silentLogger });
  const reading = post('/LogDriver.ReadLogs');
  await expect.poll(health).toMatchObject({ underWay: 1 });
  await served.close();
  expect((await reading).body).toEqual(Buffer.from([1, 2]));
});

test('a call that does not heed its end does not hold up the stop', async () => {
  const served = await start({ graceMs: 10 });
  const mounting = post('/VolumeDriver.Mount', '{"Name":"v","ID":"i"}');
  const refused = expect(mounting).rejects.toThrow();
  await expect.poll(() => release).toBeDefined();
  await served.close();
  expect(aborted).toBe(true);
  await refused;
});

test.each(['in-process', 'socket'] as const)('a test reads streams, %s', async (carrier) => {
  await using tested = await startForTest(extension, { name: 'x', carrier, options: {} });
  const chunks: Uint8Array[] = [];
  const config = { Info: { ContainerID: 'c', ContainerName: 'c' }, Config: {} };
  for await (const chunk of await tested.client(logKind).ReadLogs(config)) chunks.push(chunk);
  expect(Buffer.concat(chunks)).toEqual(Buffer.from([0, 1, 2, 255]));
});

test('a call of a test may be called off', async () => {
  await using tested = await startForTest(extension, { name: 'x', carrier: 'socket', options: {} });
  const off = new AbortController();
  const mounting = tested.client(volumeKind).Mount({ Name: 'v', ID: 'i' }, { signal: off.signal });
  const refused = expect(mounting).rejects.toThrow();
  await expect.poll(() => release).toBeDefined();
  off.abort();
  await refused;
  await expect.poll(() => aborted).toBe(true);
  release?.({ Mountpoint: '/m' });
});

test.each(['in-process', 'socket'] as const)(
  'declared options are checked and have their defaults, %s',
  async (carrier) => {
    const declaring = defineExtension({
      options: { path: { default: '/p' }, token: { required: true } },
      start: ({ options }) => ({
        implementations: [
          implement(volumeKind, {
            Create() {},
            Remove() {},
            Mount() {},
            Unmount() {},
            Path: () => ({ Mountpoint: options.path + options.token }),
            Get() {},
            List() {},
          }),
        ],
      }),
    });
    const opened = (options: Record<string, unknown>) => startForTest(declaring, { name: 'x', carrier, options });
    await using tested = await opened({ token: 1 });
    expect(await tested.client(volumeKind).Path({ Name: 'v' })).toEqual({ Mountpoint: '/p1' });
    await expect(opened({})).rejects.toThrow('x needs the option token');
    await expect(opened({ token: '', rot: '' })).rejects.toThrow('x has no option rot; it has path, token');
  },
);
