import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@cleat/linux/process/run';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { advertise } from './support/advertisement.js';
import { clientOf, removeAll } from './support/client.js';
import { Dnsmasq, hasDhcpServers, startUdhcpd } from './support/dhcp-server.js';
import { type Engine, startEngine } from './support/engine.js';
import { Lan } from './support/lan.js';
import { LanBridge } from './support/lan-bridge.js';

/** Containers with addresses of a LAN's own DHCP server: the battery ipam-dhcp, with dnsmasq and udhcpd. */
let engine: Engine;
let lan: Lan;
const { ok, refused } = clientOf(() => engine);

const config = (carrier: string) => ({
  extensions: { 'ipam-dhcp': { carrier, options: { answerSeconds: '6' } } },
});

beforeAll(async () => {
  engine = await startEngine({ config: config('in-process') });
  lan = await Lan.start(`${engine.prefix}.200`);
});
afterAll(async () => {
  await lan?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  await removeAll(engine);
  await ok('network', 'prune', '-f');
  expect(held()).toEqual([]);
});

const create = (...more: string[]) =>
  ok('network', 'create', '-d', 'macvlan', '-o', `parent=${lan.parent}`, '--ipam-driver', 'dhcp', ...more, 'lan');
const sleeper = (name: string, ...more: string[]) =>
  ok('run', '-d', '--name', name, '--network', 'lan', ...more, 'busybox', 'sleep', '1000');
const addressOf = (name: string) =>
  ok('inspect', '-f', '{{.NetworkSettings.Networks.lan.IPAddress}} {{.NetworkSettings.Networks.lan.MacAddress}}', name);
async function dnsmasq(...more: string[]): Promise<Dnsmasq> {
  const server = await new Dnsmasq(lan, engine.directory, ...more).start();
  onTestFinished(() => server.stop());
  return server;
}
async function udhcpd(seconds: number) {
  const server = await startUdhcpd(lan, engine.directory, seconds);
  onTestFinished(async () => void (await server.end('SIGKILL')));
  return server;
}
/** The leases that the battery has, by its file. */
function held(): string[] {
  const root = join(engine.dataRoot, 'extensions');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('leases.journal'),
  );
  const leases = new Map<string, unknown>();
  for (const line of files.flatMap((file) => readFileSync(join(root, file), 'utf8').split('\n')).filter(Boolean)) {
    const [key, lease] = JSON.parse(line) as [string, unknown?];
    if (lease === undefined) leases.delete(key);
    else leases.set(key, lease);
  }
  return [...leases.keys()];
}

describe.skipIf(!hasDhcpServers)('a container on a LAN', () => {
  test('has the address that the DHCP server gives to its MAC address and name, until it is removed', async () => {
    const server = await dnsmasq();
    await create();
    expect(await ok('network', 'inspect', '-f', '{{json .IPAM.Config}}', 'lan')).toBe(
      `[{"Subnet":"${lan.subnet}","Gateway":"${lan.router}"}]`,
    );
    const mac = '02:42:00:00:00:97';
    await sleeper('one', '--mac-address', mac, '--hostname', 'printer');
    await sleeper('two', '--ip', `${lan.prefix}.77`);
    const [address = ''] = (await addressOf('one')).split(' ');
    expect(server.leases.sort()).toEqual([`${mac} ${address} printer`, expect.stringMatching(/ \S+\.77 two$/)]);
    expect(await ok('exec', 'one', 'ip', '-o', '-4', 'address', 'show', 'eth0')).toContain(` ${address}/24 `);
    expect(await ok('exec', 'one', 'ip', 'route')).toContain(`default via ${lan.router} dev eth0`);
    for (const target of [lan.router, `${lan.prefix}.77`]) await ok('exec', 'one', 'ping', '-c1', '-W3', target);
    // It has no MAC address of its user's, and is known again all the same.
    const before = await addressOf('two');
    await ok('restart', '-t0', 'two');
    expect(await addressOf('two')).toBe(before);
    await ok('rm', '-f', 'one');
    expect(server.leases).toEqual([expect.stringMatching(/ \S+\.77 two$/)]);
    await ok('rm', '-f', 'two');
    await expect.poll(() => server.leases).toEqual([]);
  });

  test('keeps its lease, which is renewed, while the engine is killed and its batteries move', async () => {
    const server = await dnsmasq();
    await create();
    await sleeper('one');
    const before = await addressOf('one');
    const [address = ''] = before.split(' ');
    const renewedAgain = async () => {
      const times = server.acknowledged(address);
      await expect.poll(() => server.acknowledged(address)).toBeGreaterThan(times);
    };
    await renewedAgain();
    for (const carrier of ['process', 'in-process']) {
      await engine.kill('SIGKILL');
      writeFileSync(join(engine.directory, 'daemon.json'), JSON.stringify(config(carrier)));
      await engine.restart();
      await renewedAgain();
      expect(await addressOf('one')).toBe(before);
    }
    await lan.run('busybox', 'ping', '-c1', '-W3', address);
    await ok('rm', '-f', 'one');
    await expect.poll(() => server.leases).toEqual([]);
  });

  test('gets no address, and leaves nothing, without a server, with a wrong one, or where none is left', async () => {
    const wanted = ['network', 'create', '-d', 'macvlan', '-o', `parent=${lan.parent}`, '--ipam-driver', 'dhcp'];
    const silence = `no DHCP server gave an address on ${lan.parent} within 6 s`;
    expect(await refused(...wanted, 'lan')).toContain(silence);
    expect(await ok('network', 'ls', '-q', '--filter', 'name=lan')).toBe('');
    const server = await udhcpd(20);
    expect(await refused(...wanted, '--subnet', '10.9.9.0/24', 'lan')).toContain(
      `the DHCP server ${lan.router} on ${lan.parent} is for ${lan.subnet}, not for 10.9.9.0/24`,
    );
    expect(await refused(...wanted, '--ipv6', 'lan')).toContain('leave out --ipv6');
    await create('--subnet', lan.subnet);
    await sleeper('one');
    const before = await addressOf('one');
    expect(before).toContain(`${lan.prefix}.60 `);
    expect(await refused('run', '--rm', '--network', 'lan', 'busybox', 'true')).toContain(silence);
    expect(await ok('ps', '-a', '--filter', 'status=running', '--format', '{{.Names}}')).toBe('one');
    // It is renewed over a kill of the engine, although the server has no other address.
    await engine.kill('SIGKILL');
    const given = () => server.said.split('sending ACK').length;
    const times = given();
    await engine.restart();
    await expect.poll(given).toBeGreaterThan(times);
    expect(await addressOf('one')).toBe(before);
    await ok('rm', '-f', 'one');
    await sleeper('two');
    expect(await addressOf('two')).toContain(`${lan.prefix}.60 `);
  });

  test('keeps its address when the server refuses it, which is told, and has another after a restart', async () => {
    const server = await dnsmasq();
    await create();
    const mac = '02:42:00:00:00:96';
    await sleeper('one', '--mac-address', mac);
    const before = await addressOf('one');
    await server.stop();
    await dnsmasq('--dhcp-authoritative', `--dhcp-host=${mac},${lan.prefix}.33`);
    await expect
      .poll(() => engine.log())
      .toMatch(new RegExp(`"level":"error".*${mac}.*server ${lan.router} refused it.*no longer leased`));
    expect(await addressOf('one')).toBe(before);
    await ok('restart', '-t0', 'one');
    expect(await addressOf('one')).toBe(`${lan.prefix}.33 ${mac}`);
  });
});

describe.skipIf(!hasDhcpServers)('a container on a LAN by a bridge that the host’s administrator made', () => {
  let home: Lan;
  let bridge: LanBridge;
  let server: Dnsmasq;
  beforeAll(async () => {
    home = await Lan.start(`${engine.prefix}.202`);
    bridge = await LanBridge.start(home);
    const directory = join(engine.directory, 'home');
    mkdirSync(directory);
    server = await new Dnsmasq(home, directory).start();
  });
  afterAll(async () => {
    await server?.stop();
    await bridge?.remove();
    await home?.[Symbol.asyncDispose]();
  });

  const option = (name: string) => `com.docker.network.bridge.${name}`;
  const on = (name: string) => ['--ipam-driver', 'dhcp', '-o', `${option('name')}=${name}`];
  const asIs = ['-o', `${option('inhibit_ipv4')}=true`, '-o', `${option('gateway_mode_ipv4')}=routed`];
  const createOn = (...more: string[]) => ok('network', 'create', ...on(bridge.name), ...asIs, ...more, 'lan');
  const reaches = (name: string, target: string) => ok('exec', name, 'ping', '-c1', '-W3', target);
  const fromLan = (address: string) => home.run('busybox', 'ping', '-c1', '-W3', address);
  const addressIn = async (name: string) => (await addressOf(name)).split(' ')[0] ?? '';

  test('is a host of the LAN, whose bridge stays as it was', async () => {
    const before = await bridge.facts();
    await createOn('--ipam-opt', `parent=${bridge.name}`);
    expect(await ok('network', 'inspect', '-f', '{{.Driver}} {{json .IPAM.Config}}', 'lan')).toBe(
      `bridge [{"Subnet":"${home.subnet}","Gateway":"${home.router}"}]`,
    );
    const mac = '02:42:00:00:00:95';
    const names = ['one', 'two', 'three', 'four'];
    await Promise.all([
      sleeper('one', '--mac-address', mac, '--hostname', 'printer', '-p', '8080:80'),
      sleeper('two', '--ip', `${home.prefix}.78`),
      ...['three', 'four'].map((name) => sleeper(name)),
    ]);
    const addresses = await Promise.all(names.map(addressIn));
    const [one = '', two = ''] = addresses;
    expect(new Set(addresses).size).toBe(4);
    const lease = async (name: string) => `${(await addressOf(name)).split(' ').reverse().join(' ')} ${name}`;
    const expected = await Promise.all(['two', 'three', 'four'].map(lease));
    expect(server.leases.sort()).toEqual([`${mac} ${one} printer`, ...expected].sort());
    expect(await ok('exec', 'one', 'ip', 'route')).toContain(`default via ${home.router} dev eth0`);
    // Each other, by address and name, the router, this host; and they are reached from both.
    for (const target of [home.router, two, 'three', bridge.host]) await reaches('one', target);
    await Promise.all(addresses.map(fromLan));
    expect((await run('busybox', ['ping', '-c1', '-W3', one])).code).toBe(0);
    // Nothing is published by this host; the LAN reaches the container itself.
    expect(JSON.parse(await ok('inspect', '-f', '{{json .NetworkSettings.Ports}}', 'one'))).toEqual({
      '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '' }],
    });
    // The bridge is this host's way to the LAN for others, too.
    await ok('run', '--rm', 'busybox', 'ping', '-c1', '-W3', home.router);
    const restarted = await Promise.all(['one', 'two', 'three'].map(addressOf));
    await ok('restart', '-t0', 'one', 'two', 'three');
    expect(await Promise.all(['one', 'two', 'three'].map(addressOf))).toEqual(restarted);
    await ok('rm', '-f', ...names);
    await expect.poll(() => server.leases).toEqual([]);
    await ok('network', 'rm', 'lan');
    expect(await bridge.facts()).toEqual(before);
  });

  test('keeps its lease while the engine is killed, and is back on a bridge that was made anew', async () => {
    await createOn();
    await sleeper('one');
    const address = await addressIn('one');
    await engine.kill('SIGKILL');
    const times = server.acknowledged(address);
    await engine.restart();
    await expect.poll(() => server.acknowledged(address)).toBeGreaterThan(times);
    await bridge.remove();
    expect(await refused('run', '--rm', '--network', 'lan', 'busybox', 'true')).toContain(
      `there is no interface ${bridge.name} on this host`,
    );
    await bridge.make();
    await expect.poll(() => fromLan(address).catch(() => '')).toContain('1 packets received');
    // Gone while no engine looks: the next one does not make it, and finds it when it is back.
    await engine.kill('SIGKILL');
    await bridge.remove();
    await engine.restart();
    expect((await run('ip', ['link', 'show', 'dev', bridge.name])).code).not.toBe(0);
    await bridge.make();
    await expect.poll(() => fromLan(address).catch(() => '')).toContain('1 packets received');
    expect(await addressIn('one')).toBe(address);
    await ok('rm', '-f', 'one');
    await expect.poll(() => server.leases).toEqual([]);
  });

  test('takes no address from a router that advertises one, unless its user says so', async () => {
    await createOn();
    const sysctls = 'com.docker.network.endpoint.sysctls=net.ipv6.conf.IFNAME.accept_ra=1';
    await sleeper('one');
    await ok('run', '-d', '--name', 'two', '--network', `name=lan,driver-opt=${sysctls}`, 'busybox', 'sleep', '1000');
    advertise(bridge.name, 'fd00:77::');
    const addresses = (name: string) => ok('exec', name, 'ip', '-6', 'address', 'show', 'dev', 'eth0');
    await expect.poll(() => addresses('two')).toContain(' fd00:77::');
    expect(await addresses('one')).toBe('');
  });

  test('is refused where the host or its LAN would be harmed', async () => {
    const before = await bridge.facts();
    const create = (...args: string[]) => refused('network', 'create', ...args, 'lan');
    const both = `-o ${option('inhibit_ipv4')}=true -o ${option('gateway_mode_ipv4')}=routed`;
    expect(await create(...on(bridge.name))).toContain(`give ${both}`);
    expect(await create(...on(bridge.name), ...asIs.slice(2))).toContain(`give -o ${option('inhibit_ipv4')}=true`);
    expect(await create(...on(bridge.name), ...asIs, '--internal')).toContain('leave out --internal');
    expect(await create('--ipam-driver', 'dhcp', '--ipam-opt', `parent=${home.parent}`)).toContain(
      `name it, -o ${option('name')}=br0`,
    );
    expect(await create(...on(bridge.name), ...asIs, '--ipam-opt', `parent=${home.parent}`)).toContain(
      `leave out parent=${home.parent}`,
    );
    expect(await create(...on('nowhere0'), ...asIs)).toContain('there is no interface nowhere0 on this host');
    expect(await bridge.facts()).toEqual(before);
    expect(await ok('network', 'ls', '-q', '--filter', 'name=lan')).toBe('');
  });
});
