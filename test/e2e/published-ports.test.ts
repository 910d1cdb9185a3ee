import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { processesOf } from '../../cli/sweep/processes.js';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { freePort } from './support/ports.js';

/** Published ports over both families, from the host, from containers, and from the container itself. */
let engine: Engine;
let echoes: ChildProcess[] = [];
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.[Symbol.asyncDispose]());
afterEach(async () => {
  for (const echo of echoes) echo.kill('SIGKILL');
  echoes = [];
  await removeAll(engine);
});
const { ok } = clientOf(() => engine);

/** Starts a container that serves `served` by HTTP on port 80, and returns each datagram to 81/udp. */
async function serving(name: string, ...options: string[]): Promise<void> {
  const server = 'mkdir /w; echo served > /w/f; exec httpd -f -p 80 -h /w';
  await ok('run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', server);
  const script = `for (const [type, address] of [['udp4', '0.0.0.0'], ['udp6', '::']]) {
      const socket = require('dgram').createSocket({ type, ipv6Only: type === 'udp6' });
      socket.on('message', (text, from) => socket.send(text, from.port, from.address));
      socket.bind(81, address, () => console.log('bound'));
    }
    require('net').createServer({ allowHalfOpen: true }, (socket) => {
      let count = 0;
      socket.on('data', (chunk) => { count += chunk.length; }).on('end', () => socket.end(String(count)));
    }).listen(82);`;
  const echo = spawn('nsenter', [await namespaceOf(name), process.execPath, '-e', script]);
  echoes.push(echo);
  let said = '';
  for await (const chunk of echo.stdout) {
    said += chunk;
    if (said.split('bound').length > 2) break;
  }
}

const namespaceOf = async (name: string) =>
  `--net=/proc/${await ok('inspect', '--format', '{{.State.Pid}}', name)}/ns/net`;

const host = (address: string) => (address.includes(':') ? `[${address}]` : address);
const fetched = (address: string, port: number) =>
  fetch(`http://${host(address)}:${port}/f`, { signal: AbortSignal.timeout(30_000) })
    .then((answer) => answer.text())
    .catch(String);

/** Returns the echo; asks again as long as none comes, as datagrams may be lost. */
async function echoed(address: string, port: number): Promise<string> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const answer = once(socket, 'message', { signal: AbortSignal.timeout(60_000) });
  const ask = setInterval(() => socket.send('hello', port, address), 100);
  try {
    return String((await answer)[0]);
  } finally {
    clearInterval(ask);
    socket.close();
  }
}

/** From within a container's namespace, by TCP and by UDP. */
async function asked(name: string, address: string, ports: { tcp: number; udp: number }): Promise<string> {
  const script = `const socket = require('dgram').createSocket('${address.includes(':') ? 'udp6' : 'udp4'}');
    socket.once('message', async (text) => {
      const answer = await fetch('http://${host(address)}:${ports.tcp}/f');
      console.log(text + ' ' + await answer.text());
      process.exit();
    });
    setInterval(() => socket.send('hello', ${ports.udp}, '${address}'), 100);`;
  const child = spawn('nsenter', [await namespaceOf(name), process.execPath, '-e', script]);
  echoes.push(child);
  let said = '';
  for await (const chunk of child.stdout) said += chunk;
  return said.trim();
}

const proxies = () => processesOf(engine).filter(({ command }) => command.includes('proxy/main'));

describe('a published port', () => {
  test('answers over IPv4 and IPv6 although its container has no IPv6, also after the proxy or the engine was killed', async () => {
    const [tcp, udp] = [await freePort(), await freePort()];
    await serving('web', '-p', `${tcp}:80`, '-p', `${udp}:81/udp`);
    expect((await ok('port', 'web')).split('\n')).toEqual([
      `80/tcp -> 0.0.0.0:${tcp}`,
      `80/tcp -> [::]:${tcp}`,
      `81/udp -> 0.0.0.0:${udp}`,
      `81/udp -> [::]:${udp}`,
    ]);
    expect(JSON.parse(await ok('inspect', '--format', '{{json .NetworkSettings.Ports}}', 'web'))['80/tcp']).toEqual([
      { HostIp: '0.0.0.0', HostPort: String(tcp) },
      { HostIp: '::', HostPort: String(tcp) },
    ]);
    const everywhere = ['127.0.0.1', '::1', `${engine.prefix}.0.1`];
    for (const address of everywhere) {
      await expect.poll(() => fetched(address, tcp)).toBe('served\n');
      expect(await echoed(address, udp)).toBe('hello');
    }

    const [proxy] = proxies();
    process.kill(proxy?.pid ?? 0, 'SIGKILL');
    await expect.poll(() => fetched('::1', tcp)).toBe('served\n');
    expect(await echoed('::1', udp)).toBe('hello');

    await engine.kill('SIGKILL');
    await expect.poll(proxies).toEqual([]);
    await engine.restart();
    for (const address of everywhere) {
      await expect.poll(() => fetched(address, tcp)).toBe('served\n');
      expect(await echoed(address, udp)).toBe('hello');
    }
    await ok('stop', '-t', '0', 'web');
    for (const address of everywhere) expect(await fetched(address, tcp)).toContain('fetch failed');
  });

  test('on loopback is this host’s alone, on either family', async () => {
    await serving('web', '-p', '127.0.0.1::80', '-p', '[::1]::80');
    const [four = '', six = ''] = (await ok('port', 'web')).split('\n');
    const port = Number(four.split(':').at(-1));
    expect([four, six]).toEqual([`80/tcp -> 127.0.0.1:${port}`, `80/tcp -> [::1]:${port}`]);
    for (const address of ['127.0.0.1', '::1']) await expect.poll(() => fetched(address, port)).toBe('served\n');
    expect(await fetched(`${engine.prefix}.0.1`, port)).toContain('fetch failed');
  });

  test('large bodies and half-closed connections come through the proxy whole', async () => {
    const port = await freePort();
    await serving('web', '-p', `[::1]:${port}:82`);
    const socket = connect({ host: '::1', port, allowHalfOpen: true });
    socket.end(Buffer.alloc(5_000_000));
    let said = '';
    for await (const chunk of socket) said += chunk;
    expect(said).toBe('5000000');
  });

  test('reaches its own container from within, by TCP and UDP', async () => {
    const ports = { tcp: await freePort(), udp: await freePort() };
    await ok('network', 'create', '--ipv6', 'dual');
    const options = ['-p', `${ports.tcp}:80`, '-p', `${ports.udp}:81/udp`];
    await serving('web', ...options);
    expect(await asked('web', `${engine.prefix}.0.1`, ports)).toBe('hello served');
    await ok('rm', '-f', 'web');
    await serving('both', '--network', 'dual', ...options);
    const gateways = '{{range .NetworkSettings.Networks}}{{.Gateway}} {{.IPv6Gateway}}{{end}}';
    const both = (await ok('inspect', '--format', gateways, 'both')).split(' ');
    for (const gateway of both) expect(await asked('both', gateway, ports)).toBe('hello served');
    await ok('rm', '-f', 'both');
    await ok('network', 'rm', 'dual');
  });

  const filtered = '/proc/sys/net/bridge/bridge-nf-call-iptables';
  test.skipIf(process.env.CLEAT_NESTED || !existsSync(filtered))('does so with and without br_netfilter', async () => {
    const other = readFileSync(filtered, 'utf8').trim() === '1' ? 0 : 1;
    const script = `ip link set lo up; for key in ip ip6; do
        echo ${other} > /proc/sys/net/bridge/bridge-nf-call-$\{key}tables; done
      exec npx vitest run --project e2e test/e2e/published-ports -t 'from within'`;
    const env = { ...process.env, CLEAT_NESTED: '1' };
    const nested = spawn('unshare', ['--net', 'sh', '-c', script], { env });
    let said = '';
    for await (const chunk of nested.stdout) said += chunk;
    expect(said).toContain('1 passed');
  });
});

describe('IPv6', () => {
  test.each([
    ['beside IPv4', {}],
    ['alone', { EnableIPv4: false }],
  ])('%s: containers reach each other, the gateway and what is published', async (_, extra) => {
    const subnet = `fd00:${engine.prefix.split('.')[1]}:6::`;
    const IPAM = { Config: [{ Subnet: `${subnet}/64` }] };
    const created = await engine.api('POST', '/v1.48/networks/create', {
      Name: 'six',
      EnableIPv6: true,
      IPAM,
      ...extra,
    });
    expect(created.status).toBe(201);
    const ports = { tcp: await freePort(), udp: await freePort() };
    await serving('web', '--network', 'six', '-p', `${ports.tcp}:80`, '-p', `${ports.udp}:81/udp`);
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}|{{.GlobalIPv6Address}}{{end}}';
    const [four, six = ''] = (await ok('inspect', '--format', format, 'web')).split('|');
    expect(Boolean(four)).toBe(!('EnableIPv4' in extra));
    await ok('run', '-d', '--name', 'other', '--network', 'six', 'busybox', 'sleep', '1000');
    for (const target of [six, `${subnet}1`, 'web']) await ok('exec', 'other', 'ping', '-6', '-c1', '-W5', target);
    for (const address of [`${subnet}1`, '::1']) {
      await expect.poll(() => fetched(address, ports.tcp)).toBe('served\n');
      expect(await echoed(address, ports.udp)).toBe('hello');
    }
    expect(await asked('other', `${subnet}1`, ports)).toBe('hello served');
    await ok('network', 'disconnect', 'six', 'other');
    await ok('network', 'connect', '--ip6', `${subnet}77`, 'six', 'other');
    await ok('exec', 'web', 'ping', '-6', '-c1', '-W5', `${subnet}77`);
    await ok('rm', '-f', 'web', 'other');
    await ok('network', 'rm', 'six');
  });
});

test('a port that cannot be is a mistake of the client’s', async () => {
  const bodies: [string, object][] = [
    ['invalid port specification: "70000/tcp"', { ExposedPorts: { '70000/tcp': {} } }],
    ['invalid port specification: "70000"', { HostConfig: { PortBindings: { '70000/tcp': [{ HostPort: '9' }] } } }],
    ['invalid port specification: "80/foo"', { ExposedPorts: { '80/foo': {} } }],
    ['invalid port specification: "90-80"', { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '90-80' }] } } }],
    ['invalid port specification: "0-80"', { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '0-80' }] } } }],
    ['invalid port specification: "-80"', { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '-80' }] } } }],
    ['invalid port specification: "80\\x00"', { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '80\0' }] } } }],
    ['invalid IP address: x', { HostConfig: { PortBindings: { '80/tcp': [{ HostIp: 'x' }] } } }],
  ];
  for (const [message, body] of bodies) {
    const answer = await engine.api('POST', '/containers/create', { Image: 'busybox', ...body });
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining(JSON.stringify(message).slice(1, -1)) });
  }
});
