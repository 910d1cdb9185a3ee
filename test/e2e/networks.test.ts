import { readlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { leftOut } from './support/batteries.js';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { testNeeding, uses } from './support/needs.js';
import { freePort } from './support/ports.js';

/** Networks and published ports, with the stock client and real packets. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.[Symbol.asyncDispose]());
afterEach(() => removeAll(engine));

const test = testNeeding(uses.container);
const { ok, refused } = clientOf(() => engine);
const address = (name: string): Promise<string> =>
  ok('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name);
const web = ['busybox', 'sh', '-c', 'mkdir /w; echo served > /w/f; exec httpd -f -p 80 -h /w'];

describe('the predefined networks', () => {
  testNeeding()('ls shows bridge, host and none, and leaves out what cannot be made', async () => {
    const rows = await ok('network', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}');
    const made = [
      { row: 'bridge bridge local', by: uses.network },
      { row: 'host host local', by: ['network-host'] },
      { row: 'none null local', by: ['network-none'] },
    ].filter(({ by }) => leftOut === undefined || !by.includes(leftOut));
    expect(rows.split('\n').sort()).toEqual(made.map(({ row }) => row));
  });
  testNeeding(uses.network)('they are not removed', async () => {
    expect(await refused('network', 'rm', 'bridge')).toContain('is a pre-defined network and cannot be removed');
  });
  test('two containers on the bridge reach each other', async () => {
    await ok('run', '-d', '--name', 'near', 'busybox', 'sleep', '1000');
    const ip = await address('near');
    expect(await ok('run', '--rm', 'busybox', 'ping', '-c', '1', '-W', '2', ip)).toContain('1 packets received');
  });
  testNeeding(uses.noNetwork)('none has only loopback', async () => {
    expect(await ok('run', '--rm', '--network', 'none', 'busybox', 'ls', '/sys/class/net')).toBe('lo');
    expect(await ok('run', '--rm', '--network', 'none', 'busybox', 'ping', '-c', '1', '127.0.0.1')).toContain(
      '1 packets received',
    );
  });
  testNeeding(uses.hostNetwork)('host is the host', async () => {
    expect(await ok('run', '--rm', '--network', 'host', 'busybox', 'readlink', '/proc/self/ns/net')).toBe(
      await readlink('/proc/self/ns/net'),
    );
  });
  test('container: shares the sandbox of another', async () => {
    await ok('run', '-d', '--name', 'owner', 'busybox', 'sleep', '1000');
    const ip = await address('owner');
    expect(await ok('run', '--rm', '--network', 'container:owner', 'busybox', 'ip', 'addr')).toContain(ip);
  });
});

describe('published ports', () => {
  test('answer on the host by the time start returns, and are gone with the container', async () => {
    const port = await freePort();
    await ok('run', '-d', '--name', 'web', '-p', `127.0.0.1:${port}:80`, ...web);
    expect(await ok('port', 'web', '80/tcp')).toBe(`127.0.0.1:${port}`);
    await expect.poll(() => fetchText(`http://127.0.0.1:${port}/f`)).toBe('served\n');
    await ok('stop', '-t', '0', 'web');
    await expect(fetchText(`http://127.0.0.1:${port}/f`)).rejects.toThrow();
    await ok('start', 'web');
    await expect.poll(() => fetchText(`http://127.0.0.1:${port}/f`).catch(String)).toBe('served\n');
  });
  test('the engine chooses a port where none is named, also for -P', async () => {
    await ok('run', '-d', '--name', 'web', '--expose', '80', '-P', ...web);
    const [mapping = ''] = (await ok('port', 'web', '80/tcp')).split('\n');
    const port = mapping.split(':').at(-1);
    await expect.poll(() => fetchText(`http://127.0.0.1:${port}/f`).catch(String)).toBe('served\n');
    expect(await ok('ps', '--format', '{{.Ports}}')).toContain(`0.0.0.0:${port}->80/tcp`);
  });
  test('a port that is taken is refused by name and leaves nothing behind', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    const port = await new Promise<number>((resolve) => {
      server.once('listening', () => {
        const bound = server.address();
        resolve(typeof bound === 'object' && bound ? bound.port : 0);
      });
    });
    try {
      const { code, stderr } = await engine.docker('run', '--name', 'web', '-p', `127.0.0.1:${port}:80`, ...web);
      expect(code).toBe(125);
      expect(stderr).toMatch(/address already in use|port is already allocated/);
      expect(await ok('inspect', '--format', '{{.State.Status}}', 'web')).toBe('created');
    } finally {
      server.close();
    }
    const other = await freePort();
    await ok('run', '-d', '--name', 'first', '-p', `127.0.0.1:${other}:80`, ...web);
    expect(await refused('run', '--rm', '-p', `127.0.0.1:${other}:80`, ...web)).toContain('port is already allocated');
  });
  test('udp', async () => {
    await ok('run', '-d', '--name', 'udp', '-p', '127.0.0.1::9000/udp', 'busybox', 'sleep', '1000');
    expect(await ok('port', 'udp')).toMatch(/^9000\/udp -> 127\.0\.0\.1:\d+$/);
  });
});

describe('networks of one’s own', () => {
  test('create, inspect, names, aliases, disconnect, connect, rm', async () => {
    const id = await ok('network', 'create', '--label', 'a=b', 'own');
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await refused('network', 'create', 'own')).toContain('network with name own already exists');
    await ok('run', '-d', '--name', 'server', '--network', 'own', '--network-alias', 'db', 'busybox', 'sleep', '1000');
    for (const name of ['server', 'db']) {
      expect(await ok('run', '--rm', '--network', 'own', 'busybox', 'ping', '-c', '1', '-W', '2', name)).toContain(
        '1 packets received',
      );
    }
    const inspect = JSON.parse(await ok('network', 'inspect', 'own')) as {
      Containers: Record<string, { Name: string }>;
    }[];
    expect(Object.values(inspect[0]?.Containers ?? {}).map(({ Name }) => Name)).toEqual(['server']);
    expect(await refused('network', 'rm', 'own')).toContain('has active endpoints');
    await ok('network', 'disconnect', 'own', 'server');
    expect(await address('server')).toBe('');
    await ok('network', 'connect', '--alias', 'again', 'own', 'server');
    expect(await ok('run', '--rm', '--network', 'own', 'busybox', 'ping', '-c', '1', '-W', '2', 'again')).toContain(
      '1 packets received',
    );
    await ok('rm', '-f', 'server');
    await ok('network', 'rm', 'own');
    expect(await refused('network', 'inspect', 'own')).toMatch(/network own not found/);
  });
  test('a subnet and an address of one’s own', async () => {
    const subnet = `${engine.prefix}.7`;
    await ok('network', 'create', '--subnet', `${subnet}.0/24`, '--gateway', `${subnet}.254`, 'sub');
    await ok('run', '-d', '--name', 'fixed', '--network', 'sub', '--ip', `${subnet}.77`, 'busybox', 'sleep', '1000');
    expect(await address('fixed')).toBe(`${subnet}.77`);
    expect(await ok('exec', 'fixed', 'ip', 'route')).toContain(`default via ${subnet}.254`);
    expect(await refused('run', '--rm', '--network', 'sub', '--ip', `${subnet}.77`, 'busybox', 'true')).toMatch(
      /[Aa]ddress already in use/,
    );
    expect(await refused('network', 'create', '--subnet', `${subnet}.0/24`, 'overlapping')).toContain(
      'Pool overlaps with other one on this address space',
    );
    await ok('rm', '-f', 'fixed');
    await ok('network', 'rm', 'sub');
  });
  test('link-local addresses are set, and others are refused', async () => {
    await ok('network', 'create', 'local');
    const local = ['--network', 'local', '--link-local-ip', '169.254.7.7', '--link-local-ip', 'fe80::7777'];
    const shown = await ok('run', '--rm', ...local, 'busybox', 'ip', '-o', 'address', 'show', 'eth0');
    expect(shown).toContain(' 169.254.7.7/16 ');
    expect(shown).toContain(' fe80::7777/64 ');
    for (const bad of ['10.0.0.1', 'x']) {
      const said = await refused('run', '--rm', '--network', 'local', '--link-local-ip', bad, 'busybox', 'true');
      expect(said).toMatch(/invalid (link-local IP|argument|IP address)/);
    }
    await ok('network', 'rm', 'local');
  });
  test('containers on different networks do not reach each other; an internal one has no way out', async () => {
    await ok('network', 'create', 'left');
    await ok('network', 'create', '--internal', 'inside');
    await ok('run', '-d', '--name', 'apart', '--network', 'left', 'busybox', 'sleep', '1000');
    const ip = await address('apart');
    expect((await engine.docker('run', '--rm', 'busybox', 'ping', '-c', '1', '-W', '1', ip)).code).not.toBe(0);
    expect(await ok('run', '--rm', '--network', 'inside', 'busybox', 'ip', 'route')).not.toContain('default');
    await ok('rm', '-f', 'apart');
    await ok('network', 'rm', 'left', 'inside');
  });
  testNeeding(uses.network)('prune takes what nobody uses', async () => {
    await ok('network', 'create', '--label', 'keep=1', 'kept');
    await ok('network', 'create', 'gone');
    await ok('network', 'prune', '-f', '--filter', 'label!=keep=1');
    expect(await ok('network', 'ls', '--format', '{{.Name}}', '--filter', 'type=custom')).toBe('kept');
    await ok('network', 'rm', 'kept');
  });
});

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  return await response.text();
}
