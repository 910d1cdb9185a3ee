import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { clearEngines, type Engine, startEngine } from './support/engine.js';
import { freePort } from './support/ports.js';

/** IPv6 on the default bridge, options of all new networks, and what is asked of addresses. */
let engine: Engine;
let six: string;
beforeAll(async () => {
  engine = await startEngine();
  six = `fd08:${engine.prefix.split('.')[1]}`;
  await engine.kill('SIGTERM');
  await engine.restart([
    '--ipv6',
    `--bip6=${six}::99/64`,
    `--fixed-cidr-v6=${six}:0:0:1::/80`,
    '--default-network-opt=bridge=com.docker.network.driver.mtu=1400',
    '--default-network-opt=bridge=com.docker.network.enable_ipv6=true',
  ]);
});
afterAll(() => engine?.[Symbol.asyncDispose]());
afterEach(clearEngines);

const { ok, refused } = clientOf(() => engine);
const run = (name: string, ...args: string[]) => ok('run', '-d', '--name', name, ...args, 'busybox', 'sleep', '1000');
const settings = async (name: string) =>
  JSON.parse(await ok('inspect', '-f', '{{json .NetworkSettings}}', name)) as {
    Networks: Record<string, { IPAddress: string; GlobalIPv6Address: string; IPv6Gateway: string; MacAddress: string }>;
  };
const created = async (body: object) => {
  const { status, body: text } = await engine.api('POST', '/v1.51/networks/create', { Name: 'bad', ...body });
  return { status, message: (JSON.parse(text) as { message?: string }).message };
};

test('the default bridge has both families, and so have its containers, their hosts file and its gateway’s name', async () => {
  await run('cc', '--add-host', 'gw:host-gateway');
  await run('dd');
  const { bridge } = (await settings('cc')).Networks;
  expect(bridge).toMatchObject({ GlobalIPv6Address: `${six}:0:0:1::`, IPv6Gateway: `${six}::99` });
  await ok('exec', 'dd', 'ping', '-6', '-c1', '-W2', bridge?.GlobalIPv6Address ?? '');
  expect(await ok('exec', 'cc', 'ip', '-6', 'route', 'show', 'default')).toContain(`via ${six}::99 dev eth0`);
  const hosts = (await ok('exec', 'cc', 'cat', '/etc/hosts')).split('\n');
  expect(hosts).toEqual(expect.arrayContaining([`${engine.prefix}.0.1\tgw`, `${six}::99\tgw`]));
  expect(hosts.filter((line) => /^(10|fd08).*\t[0-9a-f]{12}$/.test(line))).toHaveLength(2);
});

test('networks have the options of their driver, unless they say otherwise', async () => {
  await ok('network', 'create', 'plain');
  await ok('network', 'create', '--ipv6=false', '-o', 'com.docker.network.driver.mtu=1300', 'other');
  const shown = async (name: string) => JSON.parse(await ok('network', 'inspect', '-f', '{{json .}}', name)) as object;
  const mtu = 'com.docker.network.driver.mtu';
  expect(await shown('plain')).toMatchObject({ EnableIPv6: true, Options: { [mtu]: '1400' } });
  expect(await shown('other')).toMatchObject({ EnableIPv6: false, Options: { [mtu]: '1300' } });
  const ofBridge = async (name: string) => {
    const id = await ok('network', 'inspect', '-f', '{{.Id}}', name);
    return readFileSync(`/sys/class/net/br-${id.slice(0, 12)}/mtu`, 'utf8').trim();
  };
  expect(await ofBridge('other')).toBe('1300');
  await ok('run', '--rm', '--network', 'other', 'busybox', 'true');
  expect([await ofBridge('other'), await ofBridge('plain')]).toEqual(['1300', '1400']);
  expect(await refused('network', 'create', '-o', 'com.docker.network.enable_ipv4=x', 'bad')).toContain(
    'driver-opt "com.docker.network.enable_ipv4" is not a valid bool',
  );
});

test('where IPv6 is switched off, nothing of it is shown', async () => {
  await run('all', '--sysctl', 'net.ipv6.conf.all.disable_ipv6=1');
  const driverOption = 'driver-opt=com.docker.network.endpoint.sysctls=net.ipv6.conf.IFNAME.disable_ipv6=1';
  await run('one', '--network', `name=bridge,${driverOption}`);
  for (const name of ['all', 'one']) {
    expect((await settings(name)).Networks.bridge).toMatchObject({ GlobalIPv6Address: '', IPv6Gateway: '' });
    expect(await ok('exec', name, 'ip', '-6', '-o', 'address', 'show', 'dev', 'eth0')).toBe('');
  }
  expect(await ok('exec', 'all', 'cat', '/etc/hosts')).not.toContain('::');
});

describe('addresses', () => {
  test('a container’s are compared with its networks when it is made', async () => {
    const four = `${engine.prefix}.200`;
    await ok('network', 'create', '--ipv6=false', '--subnet', `${four}.0/24`, 'net');
    for (const [option, address] of [
      ['--ip', `${engine.prefix}.201.9`],
      ['--ip6', `${six}::7`],
    ] as const) {
      const said = await refused('create', '--network', 'net', option, address, 'busybox');
      expect(said).toContain(
        `invalid config for network net: invalid endpoint settings:\nno configured subnet contains IP address ${address}`,
      );
    }
    for (const address of [`${four}.0`, `${four}.255`, `${four}.1`]) {
      const said = await refused('run', '--rm', '--network', 'net', '--ip', address, 'busybox', 'true');
      expect(said).toContain('Address already in use');
    }
  });

  test('a MAC address is kept over a restart, and one that was made up is not asked for again', async () => {
    const mac = '02:42:aa:00:00:07';
    await run('cc', '--mac-address', mac);
    await ok('restart', '-t', '0', 'cc');
    expect((await settings('cc')).Networks.bridge?.MacAddress).toBe(mac);
    expect(await ok('exec', 'cc', 'cat', '/sys/class/net/eth0/address')).toBe(mac);
    await run('dotted', '--mac-address', '0242.AA00.0008');
    expect((await settings('dotted')).Networks.bridge?.MacAddress).toBe('02:42:aa:00:00:08');
    expect(await ok('exec', 'dotted', 'cat', '/sys/class/net/eth0/address')).toBe('02:42:aa:00:00:08');
  });

  test.each([
    [{ Config: [{ Subnet: 'x' }] }, 'invalid subnet x: invalid CIDR block notation'],
    [{ Config: [{ Subnet: '10.1.0.0/33' }] }, 'invalid subnet 10.1.0.0/33: invalid CIDR block notation'],
    [{ Config: [{ Subnet: '10.1.0.0/24', IPRange: 'x' }] }, 'invalid ip-range x: invalid CIDR block notation'],
    [{ Config: [{ Subnet: '10.1.0.0/24', Gateway: 'x' }] }, 'invalid gateway x: invalid address'],
  ])('a network’s: %j', async (IPAM, said) => {
    expect(await created({ IPAM })).toEqual({ status: 400, message: `invalid network config:\n${said}` });
  });
  test.each([
    ['fe80::/80', "'fe80::/80' clashes with the Link-Local prefix 'fe80::/64'"],
    ['ff02::/64', "multicast subnet 'ff02::/64' is not allowed"],
  ])('a bridge cannot have %s', async (Subnet, message) => {
    expect(await created({ EnableIPv6: true, IPAM: { Config: [{ Subnet }] } })).toEqual({ status: 400, message });
  });
});

test('a container may leave the network none for another while it runs', async () => {
  await ok('network', 'create', 'net');
  await run('cc', '--network', 'none');
  expect(await refused('network', 'connect', 'net', 'cc')).toContain('one of the networks in private (none) mode');
  await ok('network', 'disconnect', 'none', 'cc');
  await ok('network', 'connect', 'net', 'cc');
  await run('dd', '--network', 'net');
  await ok('exec', 'dd', 'ping', '-c1', '-W2', 'cc');
  await ok('exec', 'cc', 'ping', '-c1', '-W2', 'dd');
  await ok('restart', '-t', '0', 'cc');
  expect(Object.keys((await settings('cc')).Networks)).toEqual(['net']);
  await ok('exec', 'cc', 'ping', '-c1', '-W2', 'dd');
});

test('SCTP is refused where the kernel has none', async () => {
  const said = await engine.docker('run', '--rm', '-p', `${await freePort()}:80/sctp`, 'busybox', 'true');
  expect(said.code === 0 || said.stderr.includes('protocol not supported: this kernel has no SCTP')).toBe(true);
});

test('an interface keeps its name and its place when another one wants its name', async () => {
  await ok('network', 'create', 'second');
  await run('ee');
  for (const name of ['eth0', 'lo']) {
    const named = ['network', 'connect', '--driver-opt', `com.docker.network.endpoint.ifname=${name}`, 'second', 'ee'];
    expect(await refused(...named)).toContain(`the interface name ${name} is taken in the container`);
  }
  const links = async () => (await ok('exec', 'ee', 'ip', '-o', 'link')).match(/(?<=^\d+: )\w+/gm);
  expect(await links()).toEqual(['lo', 'eth0']);
  await ok('exec', 'ee', 'ping', '-c1', '-W2', `${engine.prefix}.0.1`);
  await ok('network', 'connect', 'second', 'ee');
  expect(await links()).toEqual(['lo', 'eth0', 'eth1']);
});
