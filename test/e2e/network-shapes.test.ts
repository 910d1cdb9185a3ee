import { statSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { clearEngines, type Engine, startEngine } from './support/engine.js';

/** The API's answers about networks and containers on them are those of a stock engine. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.[Symbol.asyncDispose]());
afterEach(clearEngines);

const { ok, refused } = clientOf(() => engine);
const run = (name: string, ...args: string[]) => ok('run', '-d', '--name', name, ...args, 'busybox', 'sleep', '1000');
const settings = async (name: string) => JSON.parse(await ok('inspect', '-f', '{{json .NetworkSettings}}', name));
const address = async (name: string, network: string) => (await settings(name)).Networks[network].IPAddress;

test('networks are made from a configuration, and no other option is lost', async () => {
  const subnet = `${engine.prefix}.200.0/24`;
  await ok('network', 'create', '--config-only', '--subnet', subnet, '--label', 'a=b', '-o', 'x=y', 'conf');
  const from = ['network', 'create', '--config-from', 'conf'];
  const user = 'user-specified configurations are not supported if the network depends on a configuration network';
  for (const [more, why] of [
    [['--subnet', `${engine.prefix}.201.0/24`], user],
    [['--label', 'c=d'], user],
    [['--ipv6'], user],
    [['--ipam-driver', 'other'], user],
    [['-o', 'a=b'], 'network driver options are not supported if the network depends on a configuration network'],
    [['--config-only'], 'a configuration network cannot depend on another configuration network'],
  ] as const) {
    expect(await refused(...from, ...more, 'made')).toContain(why);
  }
  for (const operator of ['--internal', '--attachable', '--scope=local']) {
    expect(await refused('network', 'create', '--config-only', operator, 'other')).toContain(
      'configuration network can only contain network specific fields',
    );
  }
  for (const none of ['bridge', 'nowhere']) {
    const why = `configuration network "${none}" does not exist`;
    expect(await refused('network', 'create', '--config-from', none, 'made')).toContain(why);
  }
  await ok(...from, '--internal', 'made');
  const [made] = JSON.parse(await ok('network', 'inspect', 'made'));
  expect(made).toMatchObject({
    Internal: true,
    Labels: { a: 'b' },
    Options: { x: 'y' },
    ConfigFrom: { Network: 'conf' },
  });
  expect(made.IPAM.Config[0].Subnet).toBe(subnet);
  expect(await refused('network', 'rm', 'conf')).toContain('configuration network "conf" is in use');
  expect(await refused('run', '--network', 'conf', 'busybox', 'true')).toContain(
    'cannot create endpoint on configuration-only network',
  );
  // A part of an ID is enough for the filter, wherever it is.
  const middle = made.Id.slice(20, 40);
  expect(await ok('network', 'ls', '--filter', `id=${middle}`, '--format', '{{.Name}}')).toBe('made');
  await ok('network', 'rm', 'made', 'conf');
});

test('a bridge has one subnet of a family, and an MTU that the kernel takes', async () => {
  const two = ['--subnet', `${engine.prefix}.200.0/24`, '--subnet', `${engine.prefix}.201.0/24`];
  expect(await refused('network', 'create', ...two, 'two')).toContain("bridge driver doesn't support multiple subnets");
  const mtu = 'com.docker.network.driver.mtu';
  for (const [value, why] of [
    ['x', `failed to parse ${mtu} value: x (strconv.Atoi: parsing "x": invalid syntax)`],
    ['-5', 'invalid MTU number: -5'],
    ['60', 'invalid MTU number: 60'],
    ['70000', 'invalid MTU number: 70000'],
  ] as const) {
    expect(await refused('network', 'create', '-o', `${mtu}=${value}`, 'two')).toContain(why);
  }
  const six = ['--ipv6', '--subnet', 'fd00:97::/64'];
  expect(await refused('network', 'create', ...six, '-o', `${mtu}=1279`, 'two')).toContain(
    'invalid MTU number: 1279: IPv6 needs 1280',
  );
  // Below 1280 the kernel has no IPv6 on an interface, and refuses to hear of it.
  await ok('network', 'create', '-o', `${mtu}=1200`, 'small');
  await run('cc', '--network', 'small');
  expect(await ok('exec', 'cc', 'cat', '/sys/class/net/eth0/mtu')).toBe('1200');
  await ok('exec', 'cc', 'ping', '-c1', '-W2', (await settings('cc')).Networks.small.Gateway);
});

test('ports are shown where something publishes them, and nowhere else', async () => {
  await ok('network', 'create', '--internal', 'inside');
  await ok('network', 'create', 'outside');
  await run('cc', '--network', 'inside', '-p', '80', '--expose', '90');
  expect((await settings('cc')).Ports).toEqual({});
  expect(await ok('ps', '--format', '{{.Ports}}')).toBe('');
  await ok('network', 'connect', 'outside', 'cc');
  expect((await settings('cc')).Ports).toMatchObject({ '80/tcp': [{ HostIp: '0.0.0.0' }, {}], '90/tcp': null });
  await ok('network', 'disconnect', 'outside', 'cc');
  expect((await settings('cc')).Ports).toEqual({});
  await run('dd', '--network', 'outside', '--expose', '90');
  expect((await settings('dd')).Ports).toEqual({ '90/tcp': null });
});

test.each(['none', 'host', 'bridge'])(
  'the sandbox key of mode %s leads to the namespace while it runs',
  async (mode) => {
    await run('cc', '--network', mode);
    const { SandboxKey } = await settings('cc');
    const pid = await ok('inspect', '-f', '{{.State.Pid}}', 'cc');
    expect(statSync(SandboxKey).ino).toBe(statSync(`/proc/${pid}/ns/net`).ino);
    await ok('stop', '-t', '0', 'cc');
    expect(await settings('cc')).toMatchObject({ SandboxID: '', SandboxKey: '' });
  },
);

test('a container that is restarted alone keeps its addresses, and is reached by them at once', async () => {
  await ok('network', 'create', '--ipv6', 'dual');
  await run('first', '--network', 'dual');
  await run('second', '--network', 'dual');
  const { Networks } = await settings('first');
  const { IPAddress, GlobalIPv6Address } = Networks.dual;
  await ok('exec', 'second', 'ping', '-c1', '-W2', IPAddress);
  for (let round = 0; round < 3; round++) {
    await ok('restart', '-t', '0', 'first');
    expect((await settings('first')).Networks.dual).toMatchObject({ IPAddress, GlobalIPv6Address });
    await ok('exec', 'second', 'ping', '-c1', '-W2', IPAddress);
    await ok('exec', 'second', 'ping', '-6', '-c1', '-W2', GlobalIPv6Address);
  }
  await ok('rm', '-f', 'first');
  await run('third', '--network', 'dual');
  expect(await address('third', 'dual')).toBe(IPAddress);
});

test('clients of older versions see what their version has, and are refused what it refuses', async () => {
  await run('cc');
  const shown = async (version: string) =>
    JSON.parse((await engine.api('GET', `/v${version}/containers/json`)).body)[0];
  expect((await shown('1.48')).NetworkSettings.Networks.bridge).toHaveProperty('GwPriority', 0);
  expect((await shown('1.47')).NetworkSettings.Networks.bridge).not.toHaveProperty('GwPriority');
  for (const NetworkMode of ['host', 'none', 'container:cc']) {
    const body = { Image: 'busybox', MacAddress: '02:42:00:00:00:01', HostConfig: { NetworkMode } };
    const answer = await engine.api('POST', '/v1.43/containers/create', body);
    expect(answer.status).toBe(400);
    expect(answer.body).toContain('conflicting options: mac-address and the network mode');
  }
  const EndpointsConfig = { bridge: { MacAddress: '02:42:00:00:00:01' } };
  const body = { Image: 'busybox', NetworkingConfig: { EndpointsConfig } };
  await engine.api('POST', '/v1.43/containers/create?name=old', body);
  await ok('start', 'old');
  expect((await settings('old')).MacAddress).not.toBe('02:42:00:00:00:01');
});
