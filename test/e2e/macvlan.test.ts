import { interfaceNames } from '@cleat/linux/net/facts';
import { run } from '@cleat/linux/process/run';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { Lan } from './support/lan.js';

/** Containers on the network of one of the host's interfaces: the batteries network-macvlan and network-ipvlan. */
let engine: Engine;
let lan: Lan;
const { ok } = clientOf(() => engine);
const links = () => [...interfaceNames()];

beforeAll(async () => {
  engine = await startEngine();
  lan = await Lan.start(`${engine.prefix}.200`);
});
afterAll(async () => {
  await lan?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  await removeAll(engine);
  await ok('network', 'prune', '-f');
  expect(links().filter((name) => name.startsWith(lan.parent))).toEqual([lan.parent]);
});

const create = (name: string, ...more: string[]) => ok('network', 'create', '-d', 'macvlan', ...more, name);
const onLan = (name: string, ...more: string[]) =>
  create(name, '-o', `parent=${lan.parent}`, `--subnet=${lan.subnet}`, `--gateway=${lan.router}`, ...more);
const sleeper = (name: string, ...more: string[]) =>
  ok('run', '-d', '--name', name, ...more, 'busybox', 'sleep', '1000');
const refused = async (...args: string[]) => {
  const { code, stderr } = await engine.docker(...args);
  expect(code).not.toBe(0);
  return stderr.trim();
};
const failed = async (...options: string[]) =>
  refused('network', 'create', '-d', 'macvlan', `--subnet=${engine.prefix}.201.0/24`, ...options, 'refused');

test('containers are hosts of their own on the parent’s network, over IPv4 and IPv6', async () => {
  const six = ['--ipv6', `--subnet=${lan.subnet6}`, `--gateway=${lan.router6}`];
  await onLan('lan', '--aux-address', `printer=${lan.prefix}.2`, ...six, '-o', 'com.docker.network.driver.mtu=1300');
  const mac = '02:42:00:00:00:99';
  await sleeper('one', '--network=lan', '--mac-address', mac, '-p', '80:80');
  await sleeper('two', '--network=lan', '--ip', `${lan.prefix}.77`);
  const address = await ok('exec', 'one', 'ip', '-o', 'address', 'show', 'eth0');
  expect(address).toContain(` ${lan.prefix}.3/24 `);
  expect(await ok('exec', 'one', 'cat', '/sys/class/net/eth0/address', '/sys/class/net/eth0/mtu')).toBe(`${mac}\n1300`);
  const routes = await ok('exec', 'one', 'sh', '-c', 'ip route; ip -6 route');
  expect(routes).toMatch(new RegExp(`^default via ${lan.router} dev eth0`, 'm'));
  expect(routes).toMatch(new RegExp(`^default via ${lan.router6} dev eth0`, 'm'));
  for (const target of [lan.router, lan.router6, `${lan.prefix}.77`, 'two']) {
    await ok('exec', 'one', 'ping', '-c1', '-W3', target);
  }
  await lan.run('busybox', 'ping', '-c1', '-W3', `${lan.prefix}.3`);
  // Nothing is published, and nothing is said to be: there is nobody to translate.
  expect(await ok('port', 'one')).toBe('');
  expect(await ok('inspect', '-f', '{{json .NetworkSettings.Ports}}', 'one')).toBe('{}');
  const inspected = JSON.parse(await ok('network', 'inspect', 'lan')) as [{ IPAM: { Config: object[] } }];
  expect(inspected[0].IPAM.Config).toMatchObject([
    { Subnet: lan.subnet, Gateway: lan.router, AuxiliaryAddresses: { printer: `${lan.prefix}.2` } },
    { Subnet: lan.subnet6, Gateway: lan.router6 },
  ]);
});

test('a container that is restarted has the same addresses at once; the engine’s end changes nothing', async () => {
  await onLan('lan');
  await sleeper('fixed', '--network=lan', '--mac-address=02:42:00:00:00:98', '--ip', `${lan.prefix}.50`);
  for (let restarts = 0; restarts < 3; restarts++) await ok('restart', '-t0', 'fixed');
  await engine.kill('SIGKILL');
  await lan.run('busybox', 'ping', '-c1', '-W3', `${lan.prefix}.50`);
  await engine.restart();
  await lan.run('busybox', 'ping', '-c1', '-W3', `${lan.prefix}.50`);
  await ok('restart', '-t0', 'fixed');
  await ok('exec', 'fixed', 'ping', '-c1', '-W3', lan.router);
});

test('without a gateway there is no default route, nor on an internal network', async () => {
  await create('plain', '-o', `parent=${lan.parent}`, `--subnet=${lan.subnet}`);
  expect(await ok('network', 'inspect', '-f', '{{json .IPAM.Config}}', 'plain')).toBe(`[{"Subnet":"${lan.subnet}"}]`);
  const routes = ['busybox', 'ip', 'route'];
  // The first address is nobody's gateway, so it is a container's.
  expect(await ok('run', '--rm', '--network=plain', ...routes)).toMatch(
    new RegExp(`^${lan.subnet} dev eth0 scope link +src ${lan.router}$`),
  );
  await ok('network', 'rm', 'plain');
  await onLan('inside', '--internal');
  expect(await ok('run', '--rm', '--network=inside', ...routes)).not.toContain('default');
});

test('a network without a parent is one of its own, for as long as it is there', async () => {
  await create('alone', `--subnet=${lan.subnet}`, `--gateway=${lan.router}`);
  const id = await ok('network', 'inspect', '-f', '{{.Id}}', 'alone');
  expect(links()).toContain(`dm-${id.slice(0, 12)}`);
  await sleeper('one', '--network=alone');
  expect(await ok('exec', 'one', 'ip', 'route')).not.toContain('default');
  expect(await ok('run', '--rm', '--network=alone', 'busybox', 'ping', '-c1', '-W3', 'one')).toContain('1 packets rec');
  // As after a reboot.
  await removeAll(engine);
  await engine.kill('SIGKILL');
  await run('ip', ['link', 'delete', `dm-${id.slice(0, 12)}`]);
  await engine.restart();
  await ok('run', '--rm', '--network=alone', 'busybox', 'true');
  expect(links()).toContain(`dm-${id.slice(0, 12)}`);
  await ok('network', 'rm', 'alone');
  expect(links().filter((name) => name.includes(id.slice(0, 12)))).toEqual([]);
});

test('a parent that goes is missed by the next container, and found when it is back', async () => {
  await onLan('lan');
  await sleeper('one', '--network=lan');
  await lan.unplug();
  expect(await refused('run', '--rm', '--network=lan', 'busybox', 'true')).toContain(
    `the requested parent interface ${lan.parent} was not found on the Docker host`,
  );
  await ok('rm', '-f', 'one');
  await lan.plug();
  expect(await ok('run', '--rm', '--network=lan', 'busybox', 'ping', '-c1', '-W3', lan.router)).toContain('1 packets');
});

test('wrong options are refused in Docker’s words', async () => {
  const parent = `parent=${lan.parent}`;
  expect(await failed('-o', 'macvlan_mode=routed', '-o', parent)).toContain(
    "requested macvlan mode 'routed' is not valid, 'bridge' mode is the macvlan driver default",
  );
  expect(await failed('-o', 'parent=lo')).toContain('loopback interface is not a valid macvlan parent link');
  expect(await failed('-o', 'parent=nowhere')).toContain(
    'invalid subinterface vlan name nowhere, example formatting is eth0.10',
  );
  expect(await failed('-o', 'parent=nowhere.10')).toContain('-o parent interface was not found on the host: nowhere');
  expect(await failed('-o', `${parent}.4095`)).toContain('vlan id must be between 1-4094, received: 4095');
  expect(await failed('-o', `${parent}.ten`)).toContain('unable to parse a valid vlan id from: ten');
  expect(await failed('-o', `${parent}.1.2`)).toContain('required interface name format is: name.vlan_id');
  expect(await failed('-o', 'parent=a b')).toContain('invalid subinterface vlan name a b');
  expect(await refused('network', 'create', '-d', 'macvlan', '--ipam-driver=null', 'refused')).toContain(
    'ipv4 pool is empty',
  );
  await onLan('shared', '-o', 'macvlan_mode=private');
  expect(await failed('-o', parent, '-o', 'macvlan_mode=passthru')).toContain(
    'cannot use mode passthru, macvlan network',
  );
  await ok('network', 'rm', 'shared');
  await onLan('passthru', '-o', 'macvlan_mode=passthru');
  expect(await failed('-o', parent)).toContain(`is already using parent interface ${lan.parent} in mode passthru`);
  const own = (await run('cat', [`/sys/class/net/${lan.parent}/address`])).stdout.trim();
  await sleeper('through', '--network=passthru');
  expect(await ok('exec', 'through', 'cat', '/sys/class/net/eth0/address')).toBe(own);
  await ok('exec', 'through', 'ping', '-c1', '-W3', lan.router);
});

test.each([
  ['macvlan', '.10', [], 'this kernel makes no vlan links (modprobe 8021q)'],
  ['ipvlan', '', [], 'this kernel makes no ipvlan links (modprobe ipvlan)'],
  ['ipvlan', '', ['-o', 'ipvlan_mode=l3'], 'this kernel makes no ipvlan links (modprobe ipvlan)'],
] as const)(
  '%s on the parent’s %j (%j) works where the kernel has it, and is refused elsewhere',
  async (driver, sub, more, said) => {
    const parent = `parent=${lan.parent}${sub}`;
    const pool = [`--subnet=${lan.subnet}`, `--gateway=${lan.router}`];
    const made = await engine.docker('network', 'create', '-d', driver, '-o', parent, ...pool, ...more, 'kernel');
    if (made.code !== 0) {
      expect(made.stderr).toContain(said);
      expect(await ok('network', 'ls', '-q', '--filter', 'name=kernel')).toBe('');
      return;
    }
    const routes = await ok('run', '--rm', '--network=kernel', 'busybox', 'ip', 'route');
    expect(routes).toMatch(more.length > 0 ? /^default dev eth0/m : new RegExp(`^default via ${lan.router}`, 'm'));
    if (!sub && more.length === 0) await ok('run', '--rm', '--network=kernel', 'busybox', 'ping', '-c1', lan.router);
    await ok('network', 'rm', 'kernel');
  },
);
