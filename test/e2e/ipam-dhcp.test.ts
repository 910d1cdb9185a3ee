import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { Dnsmasq, hasDhcpServers, startUdhcpd } from './support/dhcp-server.js';
import { type Engine, startEngine } from './support/engine.js';
import { Lan } from './support/lan.js';

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
