import { run } from '@cleat/linux/process/run';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { clearEngines, type Engine, startEngine } from './support/engine.js';
import { Neighbour } from './support/neighbour.js';
import { freePort } from './support/ports.js';
import { Program } from './support/program.js';

/** How containers are reached from beyond their network, by each gateway mode, and over which network they reach out. */
let engine: Engine;
let stranger: Neighbour;
let friend: Neighbour;
beforeAll(async () => {
  engine = await startEngine();
  stranger = await Neighbour.start(engine, 1);
  friend = await Neighbour.start(engine, 2);
});
afterAll(async () => {
  await stranger?.[Symbol.asyncDispose]();
  await friend?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
});
let programs: Program[] = [];
afterEach(async () => {
  await Promise.all(programs.map((program) => program.end('SIGKILL')));
  programs = [];
  await clearEngines();
});

const { ok, refused } = clientOf(() => engine);
const bridgeOption = (name: string) => `com.docker.network.bridge.${name}`;
const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}} {{end}}';
const addresses = async (name: string) => {
  const [four = '', six = ''] = (await ok('inspect', '--format', format, name)).split(' ');
  return { four, six };
};
/** Serves `served` at ports 80 and 81. */
const web = (name: string, ...options: string[]) => {
  const script = 'mkdir /w; echo served > /w/f; httpd -p 81 -h /w; exec httpd -f -p 80 -h /w';
  return ok('run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', script);
};
const ports = async (name: string) =>
  JSON.parse(await ok('inspect', '--format', '{{json .NetworkSettings.Ports}}', name)) as unknown;
const createDual = (name: string, ...options: string[]) => ok('network', 'create', '--ipv6', ...options, name);
const modes = (four: string, six = four) => [
  '-o',
  `${bridgeOption('gateway_mode_ipv4')}=${four}`,
  '-o',
  `${bridgeOption('gateway_mode_ipv6')}=${six}`,
];

/** Port 80 is published, port 81 is not. */
async function reached(from: Neighbour, address: string) {
  const [ping, published, other] = await Promise.all([
    from.pings(address),
    from.fetched(address, 80),
    from.fetched(address, 81),
  ]);
  return { ping, published: published === 'served', other: other === 'served' };
}
const nothing = { ping: false, published: false, other: false };

describe('a container’s own addresses, from another host', () => {
  test.each([
    ['nat', nothing],
    ['nat-unprotected', { ping: true, published: true, other: true }],
    ['routed', { ping: true, published: true, other: false }],
  ])('%s', async (mode, expected) => {
    await createDual('net', ...modes(mode));
    const port = await freePort();
    await web('cc', '--network', 'net', '-p', `${port}:80`);
    const { four, six } = await addresses('cc');
    await expect.poll(() => fetchedHere(four, 80)).toBe('served');
    expect(await Promise.all([reached(stranger, four), reached(stranger, six)])).toEqual([expected, expected]);
    const published = await Promise.all([
      stranger.fetched(stranger.here.four, port),
      stranger.fetched(stranger.here.six, port),
    ]);
    if (mode === 'routed') {
      expect(await ports('cc')).toEqual({
        '80/tcp': [
          { HostIp: '0.0.0.0', HostPort: '' },
          { HostIp: '::', HostPort: '' },
        ],
      });
      expect(published).toEqual(['', '']);
      await ok('stop', '-t', '0', 'cc');
      await ok('start', 'cc');
    } else expect(published).toEqual(['served', 'served']);
    // Its answers are its own where nothing is translated.
    await ok('exec', 'cc', 'ping', '-c1', '-W2', stranger.there.four);
  });

  test('the families of a network are each their own', async () => {
    await createDual('net', ...modes('nat', 'routed'));
    const port = await freePort();
    await web('cc', '--network', 'net', '-p', `${port}:80`);
    const { four, six } = await addresses('cc');
    await expect.poll(() => fetchedHere(four, 80)).toBe('served');
    expect(await Promise.all([reached(stranger, four), reached(stranger, six)])).toEqual([
      nothing,
      { ping: true, published: true, other: false },
    ]);
    expect(await ports('cc')).toEqual({
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: String(port) },
        { HostIp: '::', HostPort: '' },
      ],
    });
    const [row] = JSON.parse((await engine.api('GET', '/v1.48/containers/json')).body);
    expect(row.Ports).toEqual([
      { IP: '::', PrivatePort: 80, Type: 'tcp' },
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: port, Type: 'tcp' },
    ]);
    expect(await stranger.fetched(stranger.here.four, port)).toBe('served');
  });

  test('interfaces that are trusted reach what is published, also after the engine is started anew', async () => {
    await createDual('net', '-o', `${bridgeOption('trusted_host_interfaces')}=lo:${friend.link}`);
    await web('cc', '--network', 'net', '-p', `${await freePort()}:80`, '-p', `${await freePort()}:80`);
    const { four, six } = await addresses('cc');
    await expect.poll(() => fetchedHere(four, 80)).toBe('served');
    const all = () => Promise.all([four, six].flatMap((to) => [reached(friend, to), reached(stranger, to)]));
    const expected = [{ ping: false, published: true, other: false }, nothing];
    expect(await all()).toEqual([...expected, ...expected]);
    await engine.kill('SIGKILL');
    await engine.restart();
    expect(await all()).toEqual([...expected, ...expected]);
    await ok('rm', '-f', 'cc');
    const said = await refused('network', 'create', '-o', `${bridgeOption('trusted_host_interfaces')}=a"b`, 'bad');
    expect(said).toContain('invalid interface name');
  });
});

test('an isolated network leaves the host out, and is internal', async () => {
  expect(await refused('network', 'create', ...modes('isolated'), 'bad')).toContain(
    "gateway mode 'isolated' can only be used for an internal network",
  );
  expect(await refused('network', 'create', ...modes('odd'), 'bad')).toContain('(unknown gateway mode odd)');
  const device = `iso${engine.prefix.split('.')[1]}`;
  await createDual('net', '--internal', ...modes('isolated'), '-o', `${bridgeOption('name')}=${device}`);
  expect((await run('ip', ['-o', 'address', 'show', 'dev', device])).stdout).toBe('');
  expect(await ok('network', 'inspect', '--format', '{{range .IPAM.Config}}{{.Gateway}}{{end}}', 'net')).not.toMatch(
    /\d/,
  );
  await web('cc', '--network', 'net', '-p', '80');
  await web('dd', '--network', 'net');
  const { four, six } = await addresses('cc');
  await ok('exec', 'dd', 'ping', '-c1', '-W2', four);
  await ok('exec', 'dd', 'ping', '-c1', '-W2', six);
  expect(await ports('cc')).toEqual({});
});

test('the host may have no IPv4 address on a network, whose gateway is another’s then', async () => {
  const device = `inh${engine.prefix.split('.')[1]}`;
  await ok(
    'network',
    'create',
    '-o',
    `${bridgeOption('inhibit_ipv4')}=true`,
    '-o',
    `${bridgeOption('name')}=${device}`,
    'net',
  );
  expect((await run('ip', ['-o', '-4', 'address', 'show', 'dev', device])).stdout).toBe('');
  await web('cc', '--network', 'net');
  const gateway = await ok('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}', 'cc');
  expect(await ok('exec', 'cc', 'ip', 'route')).toContain(`default via ${gateway} dev eth0`);
});

test('an internal network does not reach what others publish', async () => {
  const port = await freePort();
  await web('cc', '-p', `${port}:80`);
  await ok('network', 'create', '--internal', 'inside');
  await ok('run', '-d', '--name', 'dd', '--network', 'inside', 'busybox', 'sleep', '1000');
  const { four } = await addresses('dd');
  const host = four.replace(/\d+$/, '1');
  const ask = `printf 'GET /f HTTP/1.0\\r\\n\\r\\n' | nc -w 1 ${host} ${port}`;
  expect(await fetchedHere(host, port)).toBe('served');
  expect((await engine.docker('exec', 'dd', 'sh', '-c', ask)).stdout).toBe('');
});

test('the way out is chosen for each family by itself, and ports follow it', async () => {
  await ok('network', 'create', 'four');
  await createDual('both');
  await createDual('first');
  const port = await freePort();
  const route = async (...family: string[]) =>
    /dev (\w+)/.exec(await ok('exec', 'cc', 'ip', ...family, 'route', 'show', 'default'))?.[1];
  await web('cc', '--network', 'name=four,gw-priority=1', '--network', 'both', '-p', `${port}:80`);
  expect([await route(), await route('-6')]).toEqual(['eth0', 'eth1']);
  const published = {
    '80/tcp': [
      { HostIp: '0.0.0.0', HostPort: String(port) },
      { HostIp: '::', HostPort: String(port) },
    ],
  };
  const everywhere = () =>
    Promise.all([stranger.fetched(stranger.here.four, port), stranger.fetched(stranger.here.six, port)]);
  await expect.poll(everywhere).toEqual(['served', 'served']);
  expect(await ports('cc')).toEqual(published);
  await ok('network', 'connect', '--gw-priority', '2', 'first', 'cc');
  expect([await route(), await route('-6')]).toEqual(['eth2', 'eth2']);
  expect(await ports('cc')).toEqual(published);
  expect(await everywhere()).toEqual(['served', 'served']);
  await ok('network', 'disconnect', 'first', 'cc');
  expect([await route(), await route('-6')]).toEqual(['eth0', 'eth1']);
  await ok('network', 'disconnect', 'both', 'cc');
  expect([await route(), await route('-6')]).toEqual(['eth0', undefined]);
  expect(await ports('cc')).toEqual(published);
  expect(await everywhere()).toEqual(['served', 'served']);
});

test('UDP clients that never pause follow a container that comes back with another address', async () => {
  await createDual('both');
  const [plain, dual] = [await freePort(), await freePort()];
  const serve = async (name: string, port: number, ...options: string[]) => {
    await ok('run', '-d', '--name', name, '-p', `${port}:81/udp`, ...options, 'busybox', 'sleep', '1000');
    const script = `const socket = require('dgram').createSocket('udp6');
      socket.on('message', (_, from) => socket.send('${name}', from.port, from.address)).bind(81);`;
    const pid = await ok('inspect', '--format', '{{.State.Pid}}', name);
    programs.push(new Program('nsenter', [`--net=/proc/${pid}/ns/net`, process.execPath, '-e', script]));
  };
  await serve('one', plain);
  await serve('two', dual, '--network', 'both');
  // Each asks from one port for as long as it lives, and says whom it hears.
  const ask = `for (const [to, port] of ${JSON.stringify([
    [stranger.here.four, plain],
    [stranger.here.six, plain],
    [stranger.here.four, dual],
    [stranger.here.six, dual],
  ])}) {
    const socket = require('dgram').createSocket(to.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (text) => console.log(to, port, String(text).trim()));
    socket.on('error', () => {});
    setInterval(() => socket.send('hello', port, to), 20);
  }`;
  const clients = new Program('nsenter', [`--net=${stranger.path}`, process.execPath, '-e', ask]);
  programs.push(clients);
  const hear = (name: string, port: number) =>
    expect
      .poll(() => [stranger.here.four, stranger.here.six].map((to) => clients.said.includes(`${to} ${port} ${name}`)), {
        timeout: 60_000,
      })
      .toEqual([true, true]);
  await hear('one', plain);
  await hear('two', dual);
  await ok('rm', '-f', 'one', 'two');
  // Their addresses are others' now.
  await ok('run', '-d', '--name', 'three', 'busybox', 'sleep', '1000');
  await ok('run', '-d', '--name', 'four', '--network', 'both', 'busybox', 'sleep', '1000');
  await serve('five', plain);
  await serve('six', dual, '--network', 'both');
  await hear('five', plain);
  await hear('six', dual);
});

async function fetchedHere(address: string, port: number): Promise<string> {
  const answer = await fetch(`http://${address}:${port}/f`, { signal: AbortSignal.timeout(2_000) }).catch(
    () => undefined,
  );
  return (await answer?.text())?.trim() ?? '';
}
