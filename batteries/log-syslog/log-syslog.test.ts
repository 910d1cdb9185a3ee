import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { makeFifo } from '@cleat/linux/syscall/files';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import { encodeLogEntry, type LogEntry } from '@cleat/protocol/log-entry';
import { startForTest, type Tested } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import extension from './main.js';

const nanos = 1763780000123456700n;
let directory: string;
let fifo: string;
let tested: Tested;

const info = (config: Record<string, string>): LogInfo => ({
  Config: config,
  ContainerID: '0123456789abcdef',
  ContainerName: '/web',
});

const entry = (line: string, source = 'stdout'): LogEntry => ({
  source,
  timeNano: nanos,
  line: Buffer.from(line),
  partial: false,
});

/** One run of a container, as an engine does it. */
async function run(
  entries: Iterable<LogEntry> | AsyncIterable<LogEntry>,
  config: Record<string, string>,
): Promise<void> {
  const client = tested.client(logKind);
  makeFifo(fifo, 0o600);
  const end = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    await client.StartLogging({ File: fifo, Info: info(config) });
    for await (const one of entries) {
      const bytes = encodeLogEntry(one);
      for (let done = 0; done < bytes.length; ) {
        try {
          done += writeSync(end, bytes, done);
        } catch {
          // The pipe is full.
          await pause(1);
        }
      }
    }
  } finally {
    closeSync(end);
    rmSync(fifo);
  }
  await client.StopLogging({ File: fifo });
}

/** A server that keeps what it is sent. */
class Received implements AsyncDisposable {
  text = '';
  readonly sockets = new Set<Socket>();

  constructor(readonly server: Server) {
    server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        this.text += chunk;
      });
      socket.on('error', () => {});
    });
  }

  async listen(where: { port: number; host: string } | { path: string }): Promise<number> {
    this.server.listen(where);
    await once(this.server, 'listening');
    const address = this.server.address();
    return typeof address === 'object' ? (address?.port ?? 0) : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-syslog-'));
  fifo = join(directory, 'fifo');
});

afterEach(async () => {
  await tested.close();
  rmSync(directory, { recursive: true, force: true });
});

describe.each(['in-process', 'socket'] as const)('%s', (carrier) => {
  beforeEach(async () => {
    tested = await startForTest(extension, { name: 'syslog', carrier });
  });

  test('TCP: the formats, the tag, severities, facilities; empty lines are not sent', async () => {
    await using server = new Received(createServer());
    const port = await server.listen({ port: 0, host: '127.0.0.1' });
    const address = `tcp://127.0.0.1:${port}`;
    const sent = async (config: Record<string, string>) => {
      server.text = '';
      await run([entry('out'), entry(''), entry('err', 'stderr')], { 'syslog-address': address, ...config });
      await expect.poll(() => server.text.split('\n').length).toBe(3);
      return server.text.split('\n');
    };
    const [out, err] = await sent({});
    expect(out).toMatch(/^<30>Nov 22 \d\d:53:20 0123456789ab\[\d+\]: out$/);
    expect(err).toMatch(/^<27>Nov 22 \d\d:53:20 0123456789ab\[\d+\]: err$/);
    const [old = ''] = await sent({ 'syslog-format': 'rfc3164', 'syslog-facility': 'local7', tag: '{{.Name}}' });
    expect(old).toMatch(/^<190>Nov 22 \d\d:53:20 \S+ web\[\d+\]: out$/);
    expect(old).toContain(` ${hostname()} `);
    const [newer] = await sent({ 'syslog-format': 'rfc5424', 'syslog-facility': '16' });
    expect(newer).toMatch(/^<134>1 2025-11-2\dT\d\d:53:20(Z|[+-]\d\d:\d\d) \S+ 0123456789ab \d+ 0123456789ab - out$/);
    const [micro] = await sent({ 'syslog-format': 'rfc5424micro' });
    expect(micro).toMatch(/^<30>1 2025-11-2\dT\d\d:53:20\.123456(Z|[+-]\d\d:\d\d) /);
  });

  test('a server that goes away and comes back: everything arrives, in order', async () => {
    const server = new Received(createServer());
    await using again = new Received(createServer());
    const port = await server.listen({ port: 0, host: '127.0.0.1' });
    let printed = 0;
    /** Prints on until the second server has heard of it. */
    async function* printing() {
      for (let after = 0; after < 1000; printed += 1) {
        yield entry(`line ${printed}`);
        if (printed % 100 === 0) await pause(1);
        if (again.text !== '') after += 1;
      }
    }
    const running = run(printing(), { 'syslog-address': `tcp://127.0.0.1:${port}` });
    await expect.poll(() => server.text.length).toBeGreaterThan(0);
    await server[Symbol.asyncDispose]();
    await pause(300);
    await again.listen({ port, host: '127.0.0.1' });
    await running;
    await expect.poll(() => again.text).toContain(`line ${printed - 1}\n`);
    const numbers = [...again.text.matchAll(/line (\d+)\n/g)].map(([, number]) => Number(number));
    // Lines that the broken connection had in hand are lost, as it is with every syslog over TCP; after it, nothing.
    const first = numbers[0] ?? 0;
    expect(numbers).toEqual(Array.from({ length: printed - first }, (_, n) => first + n));
  });

  test('UDP, and UNIX sockets of both types', async () => {
    const udp = createSocket('udp4');
    const datagrams: string[] = [];
    udp.on('message', (message) => datagrams.push(message.toString()));
    udp.bind(0, '127.0.0.1');
    await once(udp, 'listening');
    await run([entry('one'), entry('two')], { 'syslog-address': `udp://127.0.0.1:${udp.address().port}` });
    await expect.poll(() => datagrams.length).toBe(2);
    expect(datagrams[0]).toMatch(/: one\n$/);
    udp.close();

    const path = join(directory, 'stream');
    await using server = new Received(createServer());
    await server.listen({ path });
    await run([entry('three')], { 'syslog-address': `unix://${path}` });
    await expect.poll(() => server.text).toMatch(/: three\n$/);

    const dgram = join(directory, 'dgram');
    const out = join(directory, 'received');
    const program = `import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("${dgram}"); print("bound", flush=True)
with open("${out}", "wb", 0) as f:
  while True: f.write(s.recv(65536))`;
    const receiver = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(receiver.stdout, 'data');
      const lines = Array.from({ length: 3000 }, (_, n) => entry(`line ${n}`));
      await run(lines, { 'syslog-address': `unixgram://${dgram}` });
      await expect.poll(() => readFileSync(out, 'utf8')).toContain('line 2999\n');
      expect(readFileSync(out, 'utf8').match(/: line \d+\n/g)).toEqual(lines.map((_, n) => `: line ${n}\n`));
    } finally {
      receiver.kill('SIGKILL');
    }
  });

  test('TLS: with its CA, RFC 5425 framing; without it refused, unless verification is switched off', async () => {
    const [key, cert] = ['key', 'cert'].map((name) => join(directory, `${name}.pem`));
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...subject];
    execFileSync('openssl', [...args, '-keyout', key ?? '', '-out', cert ?? ''], { stdio: 'ignore' });
    await using server = new Received(
      createTlsServer({ key: readFileSync(key ?? ''), cert: readFileSync(cert ?? '') }),
    );
    const port = await server.listen({ port: 0, host: '127.0.0.1' });
    const address = { 'syslog-address': `tcp+tls://localhost:${port}`, 'syslog-format': 'rfc5424' };
    await run([entry('safe')], { ...address, 'syslog-tls-ca-cert': cert ?? '' });
    await expect.poll(() => server.text).toMatch(/^\d+ <30>1 .* - safe\n$/);
    expect(Number(server.text.split(' ')[0])).toBe(Buffer.byteLength(server.text.slice(server.text.indexOf(' ') + 1)));
    await expect(run([], address)).rejects.toThrow(/the syslog server at localhost:\d+ cannot be reached: self.signed/);
    await run([entry('blind')], { ...address, 'syslog-tls-skip-verify': 'true' });
    await expect.poll(() => server.text).toContain('blind');
    await expect(run([], { ...address, 'syslog-tls-ca-cert': '/no/such/file' })).rejects.toThrow(
      'could not read CA certificate "/no/such/file"',
    );
  });

  test.each([
    ['rfc5424', /^<30>1 \S+ \S+ (\S+) \d+ (\S+) - one\n$/],
    ['rfc3164', /^<30>\w{3} [ \d]\d [\d:]{8} \S+ (\S+)\[\d+\]: one\n$/],
    ['', /^<30>\w{3} [ \d]\d [\d:]{8} (\S+)\[\d+\]: one\n$/],
  ])('a tag makes neither a field nor a message of its own: %s', async (format, shape) => {
    await using server = new Received(createServer());
    const port = await server.listen({ port: 0, host: '127.0.0.1' });
    const address = { 'syslog-address': `tcp://127.0.0.1:${port}`, ...(format && { 'syslog-format': format }) };
    for (const tag of ['a b', 'a\n<0>1 - evil', 'sudo[1]: root', 'caf\u00e9\u0000\t', 'x'.repeat(300)]) {
      server.text = '';
      await run([entry('one')], { ...address, tag });
      await expect.poll(() => server.text).toMatch(/one\n$/);
      const [, field = '', id = ''] = shape.exec(server.text) ?? [];
      expect({ tag, field }).toEqual({ tag, field: expect.stringMatching(/^[!-Z\\^-~]{1,255}$/) });
      if (format === 'rfc5424') expect([field.length <= 48, id.length <= 32]).toEqual([true, true]);
    }
  });

  test('options are refused in Docker’s words; a server that is not there refuses the start', async () => {
    const validate = (Config: Record<string, string>) => tested.client(logKind).ValidateOptions({ Config });
    const refusals: [Record<string, string>, string][] = [
      [{ colour: 'red' }, "unknown log opt 'colour' for syslog log driver"],
      [{ 'syslog-address': 'http://x' }, "unsupported scheme: 'http'"],
      [{ 'syslog-address': 'unix:///no/such/socket' }, 'no such file or directory'],
      [{ 'syslog-facility': 'loud' }, 'invalid syslog facility'],
      [{ 'syslog-facility': '24' }, 'invalid syslog facility'],
      [{ 'syslog-format': 'xml' }, 'Invalid syslog format'],
      [{ tag: '{{.Nonsense}}' }, "can't evaluate field Nonsense in type *logger.Info"],
    ];
    for (const [config, message] of refusals) await expect(validate(config)).rejects.toThrow(message);
    await validate({
      'syslog-address': 'tcp://[::1]:1514',
      'syslog-facility': 'local0',
      tag: '{{.Name}}/{{.Hostname}}',
    });
    await expect(run([], { 'syslog-address': 'tcp://127.0.0.1:9' })).rejects.toThrow(
      'the syslog server at 127.0.0.1:9 cannot be reached',
    );
  });
});
