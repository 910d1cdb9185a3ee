import { once } from 'node:events';
import { copyFile, readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** The log drivers in the box and their options, through the stock client. */
let engine: Engine;
const { ok, refused } = clientOf(() => engine);

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());
afterEach(() => removeAll(engine));

const prints = (script: string, ...options: string[]) =>
  ok('run', '-d', '--network', 'none', ...options, 'busybox', 'sh', '-c', script);

/** The bytes that a driver wrote for a container, once all are there. */
async function written(path: string, last: string): Promise<Buffer> {
  await expect.poll(() => readFile(path, 'latin1').catch(() => '')).toContain(last);
  return await readFile(path);
}

test('info lists them; what is no driver or no option is refused when a container is made', async () => {
  expect(JSON.parse(await ok('info', '--format', '{{json .Plugins.Log}}'))).toEqual(
    expect.arrayContaining(['json-file', 'local', 'syslog']),
  );
  const create = (...options: string[]) => refused('create', ...options, 'busybox', 'true');
  expect(await create('--log-driver', 'nope')).toContain(
    'error looking up logging plugin nope: plugin "nope" not found',
  );
  expect(await create('--log-opt', 'colour=red')).toContain("unknown log opt 'colour' for json-file log driver");
  expect(await create('--log-opt', 'max-size=big')).toContain("invalid size: 'big'");
  expect(await create('--log-driver', 'local', '--log-opt', 'colour=red')).toContain(
    "unknown log opt 'colour' for log driver local",
  );
  expect(await create('--log-driver', 'local', '--log-opt', 'max-file=1')).toContain(
    'compression cannot be enabled when max file count is 1',
  );
  expect(await create('--log-opt', 'mode=sometimes')).toContain('logger: logging mode not supported: sometimes');
  expect(await create('--log-opt', 'max-buffer-size=4m')).toContain(
    "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
  );
  expect(await ok('ps', '-aq')).toBe('');
});

test('json-file: attributes, tag, rotation and compression; logs shows details', async () => {
  const id = await prints(
    'i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done',
    '--name=web',
    '--label=app=shop',
    '--env=STAGE=test',
    '--log-opt=labels=app',
    '--log-opt=env-regex=^STA',
    '--log-opt=tag={{.Name}}/{{.ID}}',
    '--log-opt=max-size=40k',
    '--log-opt=max-file=3',
    '--log-opt=compress=true',
  );
  await ok('wait', id);
  const path = await ok('inspect', '--format', '{{.LogPath}}', id);
  const [line = ''] = (await written(path, 'line 1999')).toString().split('\n');
  expect(JSON.parse(line).attrs).toEqual({ app: 'shop', STAGE: 'test', tag: `web/${id.slice(0, 12)}` });
  await written(`${path}.1.gz`, '\x1f\x8b');
  expect(await ok('logs', '--tail=1', '--details', id)).toBe(
    `STAGE=test,app=shop,tag=web%2F${id.slice(0, 12)} line 1999`,
  );
});

test('the engine’s default options go with its default driver', async () => {
  await using other = await startEngine({
    flags: ['--log-driver=local', '--log-opt=max-size=5m', '--log-opt=cache-max-size=1m'],
  });
  const config = async (...options: string[]) => {
    const { stdout } = await other.docker('create', ...options, 'busybox', 'true');
    const { stdout: json } = await other.docker('inspect', '-f', '{{json .HostConfig.LogConfig}}', stdout.trim());
    return JSON.parse(json);
  };
  expect(await config()).toEqual({ Type: 'local', Config: { 'max-size': '5m', 'cache-max-size': '1m' } });
  expect(await config('--log-driver=json-file')).toEqual({ Type: 'json-file', Config: { 'cache-max-size': '1m' } });
  expect((await other.docker('info', '--format', '{{.LoggingDriver}}')).stdout.trim()).toBe('local');
});

test('default options that no container could be made with end the start, in Docker’s words', async () => {
  await expect(startEngine({ flags: ['--log-opt=colour=red'] })).rejects.toThrow(
    /failed to set log opts: unknown log opt 'colour' for json-file log driver/,
  );
});

test('syslog: a server that is away holds no container up, and gets everything in order when it is back', async () => {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const listen = async (port: number) => {
    const server = createServer((socket) => {
      sockets.add(socket);
      let rest = '';
      socket.on('error', () => {});
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        received.push(...lines);
      });
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const leave = async (server: Server) => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  const first = await listen(0);
  const { port } = first.address() as AddressInfo;
  const options = [
    '--log-driver=syslog',
    `--log-opt=syslog-address=tcp://127.0.0.1:${port}`,
    '--log-opt=tag={{.Name}}',
  ];
  expect(await refused('create', ...options, '--log-opt=syslog-facility=loud', 'busybox', 'true')).toContain(
    'invalid syslog facility',
  );
  const id = await prints('seq 1 10; while [ ! -e /go ]; do sleep 0.1; done; seq 11 20000', '--name=web', ...options);
  await expect.poll(() => received.length).toBe(10);
  expect(received[9]).toMatch(/^<30>\w{3} [ \d]\d \d\d:\d\d:\d\d web\[\d+\]: 10$/);
  await leave(first);
  await ok('exec', id, 'touch', '/go');
  expect(await ok('wait', id)).toBe('0');
  expect((await ok('logs', id)).split('\n')).toHaveLength(20_000);
  const second = await listen(port);
  try {
    await expect.poll(() => received.at(-1)).toMatch(/: 20000$/);
    const numbers = received.map((line) => Number(/: (\d+)$/.exec(line)?.[1]));
    const seen = [...new Set(numbers)];
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    // Lines that the broken connection had taken may be lost with it.
    expect(seen.length).toBeGreaterThan(15_000);
  } finally {
    await leave(second);
  }
  await ok('rm', id);
  expect(await refused('run', ...options, 'busybox', 'true')).toMatch(
    /failed to initialize logging driver: the syslog server at 127\.0\.0\.1:\d+ cannot be reached/,
  );
});

test.skipIf(!stockDockerdInstalled)('a stock dockerd reads what the driver local wrote', async () => {
  const id = await prints('echo out; echo err >&2; printf unfinished', '--log-driver=local');
  await ok('wait', id);
  expect(await ok('inspect', '--format', '{{.LogPath}}', id)).toBe('');
  const ours = join(engine.dataRoot, 'containers', id, 'local-logs', 'container.log');
  await written(ours, 'unfinished');
  await using stock = await StockDockerd.start();
  const docker = async (...args: string[]) => {
    const result = await engine.dockerAt(stock.host, ...args, {
      input: args[0] === 'import' ? await busyboxTar() : '',
    });
    expect({ args, ...result }).toMatchObject({ args, code: 0 });
    return result;
  };
  await docker('import', '-', 'busybox');
  const { stdout } = await docker('run', '-d', '--network=none', '--log-driver=local', 'busybox', 'echo', 'theirs');
  const theirs = stdout.trim();
  await docker('wait', theirs);
  const logs = join(stock.dataRoot, 'containers', theirs, 'local-logs', 'container.log');
  await written(logs, 'theirs');
  await copyFile(ours, logs);
  expect(await docker('logs', theirs)).toMatchObject({ stdout: 'out\nunfinished', stderr: 'err\n' });
});

test('a tag names the daemon as Docker does, whatever the host is called', async () => {
  await ok('run', '--name', 'tagged', '--log-opt', 'tag={{.DaemonName}}/{{.Name}}', 'busybox', 'echo', 'hi');
  expect(await ok('logs', '--details', 'tagged')).toBe('tag=docker%2Ftagged hi');
  await ok('rm', 'tagged');
});
