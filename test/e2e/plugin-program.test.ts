import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeCertificates } from './support/certificates.js';
import { checkout } from './support/documents.js';
import { Program } from './support/program.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** A plugin as its operator sees it: the command line, the signals, the log, the socket that systemd makes for it. */
const main = join(checkout, 'examples/no-remove/dist/main.js');
let directory: string;
let root: string[];
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-program-');
  root = ['--root', join(directory, 'data')];
});
afterEach(() => rmSync(directory, { recursive: true }));

const curl = async (...args: string[]) =>
  (await promisify(execFile)('curl', ['-sS', '--max-time', '10', ...args])).stdout;
const over = (socket: string, path: string, ...args: string[]) =>
  curl('--unix-socket', socket, ...args, `http://plugin${path}`);

async function ended(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 240_000,
    killSignal: 'SIGKILL',
  });
  const printed = { out: '', err: '' };
  child.stdout.on('data', (text) => (printed.out += text));
  child.stderr.on('data', (text) => (printed.err += text));
  const [code] = await once(child, 'close');
  return { code, ...printed };
}

test('--help tells of everything, also of the plugin’s own options', async () => {
  const { code, out } = await ended('-h');
  expect(code).toBe(0);
  expect(out).toMatch(/^ {2}--root VALUE +where the data goes; default: \/data$/m);
  expect(out).toMatch(/^ {2}--tls-cert FILE /m);
});

test('wrong options end the program with one line and 2, a socket that it cannot make with 1', async () => {
  const one = (text: string) => new RegExp(`^no-remove: (${text}).*\n$`);
  expect(await ended('--rot', '/x')).toMatchObject({
    code: 2,
    err: expect.stringMatching(one('unknown option --rot')),
  });
  expect(await ended('--spec', '/x')).toMatchObject({
    code: 2,
    err: expect.stringMatching(one('--spec makes no sense')),
  });
  expect(await ended('--log-format', 'xml', ...root)).toMatchObject({ code: 2 });
  const socket = ['--socket', join(main, 'x.sock')];
  expect(await ended(...socket, ...root)).toMatchObject({
    code: 1,
    err: expect.stringMatching(one('mkdir .*: (?:not a directory|file exists)')),
  });
});

test('a socket that systemd made is served and left where it is', async () => {
  const socket = join(directory, 'a.sock');
  // With -l it listens itself, and starts the program at the first connection.
  const args = ['-l', socket, process.execPath, main, ...root];
  await using program = new Program('systemd-socket-activate', args);
  await program.made(socket);
  expect(await over(socket, '/Plugin.Activate', '-X', 'POST')).toBe('{"Implements":["VolumeDriver"]}');
  expect(JSON.parse(await over(socket, '/health'))).toMatchObject({ status: 'ok', name: 'no-remove' });
  expect(await program.end('SIGTERM')).toBe(0);
  expect(existsSync(socket)).toBe(true);
});

test('a socket that systemd made excludes another place', async () => {
  const socket = join(directory, 'a.sock');
  const args = ['-l', socket, process.execPath, main, ...root, '--socket', join(directory, 'b.sock')];
  await using program = new Program('systemd-socket-activate', args);
  await program.made(socket);
  // Nobody will answer this one.
  void over(socket, '/health').catch(() => {});
  await expect.poll(() => program.said).toContain('a socket was passed to listen on (LISTEN_FDS): leave out --socket');
});

test('calls are logged as JSON, or as text', async () => {
  const socket = join(directory, 'x.sock');
  const ready = `no-remove is ready, at unix://${socket}`;
  const failing = async (...args: string[]) => {
    await using program = new Program(process.execPath, [main, '--socket', socket, ...root, ...args]);
    await program.made(socket);
    await over(socket, '/VolumeDriver.Create', '-d', '{"Name":"a"}');
    await over(socket, '/VolumeDriver.Create', '-d', '{"Name":"../x"}');
    expect(await program.end('SIGINT')).toBe(0);
    const lines = program.said.trim().split('\n');
    expect(lines.filter((one) => one.includes(ready))).toHaveLength(1);
    return lines.filter((one) => !one.includes(ready));
  };
  const [line = '', ...more] = await failing();
  expect(more).toEqual([]);
  const error = 'a volume cannot be called "../x"';
  expect(JSON.parse(line)).toMatchObject({
    level: 'warn',
    call: 'VolumeDriver.Create',
    error,
    time: /Z$/.source && expect.any(String),
  });
  const debugged = await failing('--log-format', 'text', '--debug');
  expect(debugged).toEqual([
    // As engines call it.
    `debug: x listens at unix://${socket}`,
    expect.stringMatching(/^debug: answered call="VolumeDriver\.Create" ms=/),
    expect.stringMatching(/^warn: a call failed call="VolumeDriver\.Create" ms=[\d.]+ error="a volume cannot/),
  ]);
});

test('a second signal ends it at once, whatever is under way', async () => {
  const socket = join(directory, 'x.sock');
  await using program = new Program(process.execPath, [main, '--socket', socket, ...root]);
  await program.made(socket);
  // The name is there a moment before somebody listens.
  await expect.poll(async () => (await over(socket, '/metrics')).length).toBeGreaterThan(0);
  // A request whose body does not come; it is there before the next one is answered.
  const stuck = request({ socketPath: socket, method: 'POST', path: '/VolumeDriver.List', agent: false });
  stuck.on('error', () => {});
  stuck.write('{');
  const [connection] = (await once(stuck, 'socket')) as [Socket];
  if (connection.connecting) await once(connection, 'connect');
  try {
    await expect.poll(async () => (await over(socket, '/metrics')).length).toBeGreaterThan(0);
    process.kill(program.pid, 'SIGTERM');
    await expect.poll(() => existsSync(socket)).toBe(false);
    expect(program.ended).toBe(false);
    process.kill(program.pid, 'SIGINT');
    await expect.poll(() => program.ended).toBe(true);
  } finally {
    stuck.destroy();
  }
});

test.skipIf(!stockDockerdInstalled)('over TLS, with a .json that tells a stock dockerd whom to trust', async () => {
  const certificates = await makeCertificates(directory, ['engine']);
  const name = `program-${process.pid}`;
  const pem = (who: string, what: 'cert' | 'key' | 'cacert') => certificates.file(who, what);
  const tls = [
    ...['--tls-cert', pem('server', 'cert'), '--tls-key', pem('server', 'key'), '--tls-ca', pem('server', 'cacert')],
    ...['--spec-cert', pem('engine', 'cert'), '--spec-key', pem('engine', 'key')],
  ];
  await using dockerd = await StockDockerd.start();
  const spec = join(dockerd.plugins, `${name}.json`);
  // It has a network namespace of its own, where the plugin has to listen for it.
  const inside = ['-t', `${dockerd.pid}`, '--net', '--'];
  await promisify(execFile)('nsenter', [...inside, 'ip', 'link', 'set', 'lo', 'up']);
  const served = [process.execPath, main, ...root, '--tcp', '127.0.0.1:0', '--spec', spec, ...tls];
  await using program = new Program('nsenter', [...inside, ...served]);
  await program.made(spec);
  expect(statSync(spec).mode & 0o777).toBe(0o644);
  const { Addr, TLSConfig } = JSON.parse(readFileSync(spec, 'utf8'));
  expect(TLSConfig).toEqual({
    InsecureSkipVerify: false,
    CAFile: pem('server', 'cacert'),
    CertFile: pem('engine', 'cert'),
    KeyFile: pem('engine', 'key'),
  });
  const docker = async (...args: string[]) =>
    (await promisify(execFile)('docker', ['-H', dockerd.host, ...args], { timeout: 240_000 })).stdout.trim();
  expect(await docker('volume', 'create', '-d', name, 'kept')).toBe('kept');
  expect(await docker('volume', 'inspect', '-f', '{{.Mountpoint}}', 'kept')).toBe(join(directory, 'data/kept'));
  // A client without a certificate of that CA gets no answer.
  const ask = ['curl', '-sS', '--max-time', '10', '--cacert', pem('server', 'cacert')];
  await expect(promisify(execFile)('nsenter', [...inside, ...ask, `${Addr}/health`])).rejects.toThrow();
  expect(await program.end('SIGTERM')).toBe(0);
  expect(existsSync(spec)).toBe(false);
});
