import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { interfaceNames } from '@cleat/linux/net/facts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { type Answer, ScriptedNetworkPlugin } from './support/scripted-network.js';

/** A network or IPAM plugin that fails at any step causes a clear error, and nothing is left of the attempt. */
let engine: Engine;
let plugin: ScriptedNetworkPlugin;
const tag = `rb${process.pid % 10_000}`;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.[Symbol.asyncDispose]());
beforeEach(async () => {
  const { prefix, pluginDirectory, pid } = engine;
  plugin = new ScriptedNetworkPlugin(join(pluginDirectory, `${tag}.sock`), tag, prefix, pid);
  await ok('network', 'create', '-d', tag, '--ipam-driver', tag, '--subnet', subnet(1), 'net');
});
afterEach(async () => {
  plugin.answers.clear();
  await removeAll(engine);
  // Also after a test that failed.
  await ok('network', 'prune', '-f');
  await plugin[Symbol.asyncDispose]();
});
const { ok, refused } = clientOf(() => engine);
const subnet = (third: number) => `${engine.prefix}.${third}.0/24`;

const usual =
  (method: string, more: Record<string, unknown>): Answer =>
  async (body) => ({
    ...(await plugin.usual(method, body)),
    ...more,
  });
const joining = (more: Record<string, unknown>) => usual('NetworkDriver.Join', more);

interface Case {
  what: string;
  method: string;
  answer: () => Answer;
  says: RegExp;
}

/** Steps of a container's start. */
const starts: Case[] = [
  { what: 'is refused', method: 'IpamDriver.RequestAddress', answer: () => 'no luck', says: /RequestAddress: no luck/ },
  {
    what: 'answers nothing',
    method: 'IpamDriver.RequestAddress',
    answer: () => ({}),
    says: /answered IpamDriver\.RequestAddress/,
  },
  {
    what: 'answers garbage',
    method: 'IpamDriver.RequestAddress',
    answer: () => ({ Address: '10.0.0.1/24; rm' }),
    says: /answered IpamDriver\.RequestAddress with .* no address with a prefix length/,
  },
  {
    what: 'answers an address outside the pool',
    method: 'IpamDriver.RequestAddress',
    answer: () => ({ Address: '192.0.2.7/24' }),
    says: /192\.0\.2\.7\/24", which is not in the pool/,
  },
  {
    what: 'is refused',
    method: 'NetworkDriver.CreateEndpoint',
    answer: () => 'no luck',
    says: /CreateEndpoint: no luck/,
  },
  {
    what: 'changes the address',
    method: 'NetworkDriver.CreateEndpoint',
    answer: () => usual('NetworkDriver.CreateEndpoint', { Interface: { Address: '192.0.2.7/24' } }),
    says: /another address than it was given/,
  },
  {
    what: 'answers a hostile MAC address',
    method: 'NetworkDriver.CreateEndpoint',
    answer: () => usual('NetworkDriver.CreateEndpoint', { Interface: { MacAddress: '02:42\nlink delete lo' } }),
    says: /CreateEndpoint with the MAC address/,
  },
  { what: 'is refused', method: 'NetworkDriver.Join', answer: () => 'no luck', says: /Join: no luck/ },
  {
    what: 'names no interface that exists',
    method: 'NetworkDriver.Join',
    answer: () => joining({ InterfaceName: { SrcName: 'nothere0', DstPrefix: 'eth' } }),
    says: /nothere0/,
  },
  ...['../x', 'much-too-long-a-name', 'a b', '-all', 'x\nlink delete lo'].map(
    (SrcName): Case => ({
      what: `names the interface ${JSON.stringify(SrcName)}`,
      method: 'NetworkDriver.Join',
      answer: () => joining({ InterfaceName: { SrcName, DstPrefix: 'eth' } }),
      says: /cannot be the name of a network interface/,
    }),
  ),
  {
    what: 'wants a hostile name inside',
    method: 'NetworkDriver.Join',
    answer: () => async (body) => {
      const said = (await plugin.usual('NetworkDriver.Join', body)) as { InterfaceName: object };
      return { InterfaceName: { ...said.InterfaceName, DstPrefix: '../eth' } };
    },
    says: /cannot be the name of a network interface/,
  },
  {
    what: 'answers a gateway that is none',
    method: 'NetworkDriver.Join',
    answer: () => joining({ Gateway: 'everywhere' }),
    says: /the gateway "everywhere"/,
  },
  {
    what: 'answers a gateway of the wrong family',
    method: 'NetworkDriver.Join',
    answer: () => joining({ GatewayIPv6: '10.0.0.1' }),
    says: /the IPv6 gateway "10\.0\.0\.1"/,
  },
  {
    what: 'answers a route that is garbage',
    method: 'NetworkDriver.Join',
    answer: () => joining({ StaticRoutes: [{ Destination: 'over there', RouteType: 1 }] }),
    says: /over there/,
  },
  {
    what: 'answers a route that the kernel refuses',
    method: 'NetworkDriver.Join',
    answer: () => joining({ StaticRoutes: [{ Destination: '10.9.0.0/16', RouteType: 0, NextHop: '192.0.2.1' }] }),
    says: /10\.9\.0\.0\/16/,
  },
  {
    what: 'answers another type',
    method: 'NetworkDriver.Join',
    answer: () => ({ InterfaceName: 'eth0' }),
    says: /answered NetworkDriver\.Join in a shape/,
  },
  {
    what: 'is refused',
    method: 'NetworkDriver.ProgramExternalConnectivity',
    answer: () => 'no luck',
    says: /driver failed programming external connectivity on endpoint .*no luck/,
  },
];

describe('the start of a container', () => {
  test.each(starts)('$method $what', async ({ method, answer, says }) => {
    const before = new Set(plugin.held);
    // With a gateway of its own, so that all steps are made on this network.
    plugin.answers.set('NetworkDriver.Join', joining({ Gateway: `${engine.prefix}.1.1` }));
    plugin.answers.set(method, answer());
    expect(await refused('run', '--name', 'failed', '--network', 'net', '-p', '9', 'busybox', 'true')).toMatch(says);
    expect(await ok('inspect', '--format', '{{.State.Status}}', 'failed')).toBe('created');
    await nothingLeft(before);
    // And it works as soon as the plugin does.
    plugin.answers.clear();
    await ok('start', 'failed');
  });
});

describe('connecting a running container', () => {
  // Each step once: what is made of its answer is the same as above.
  const steps = starts.filter(
    ({ method, what }, index) =>
      what.includes('exists') || what.includes('kernel') || starts.findIndex((one) => one.method === method) === index,
  );
  test.each(steps)('$method $what', async ({ method, answer, says }) => {
    await ok('network', 'create', '--internal', 'inside');
    await ok('run', '-d', '--name', 'runs', '--network', 'inside', '-p', '9', 'busybox', 'sleep', '1000');
    const before = new Set(plugin.held);
    plugin.answers.set('NetworkDriver.Join', joining({ Gateway: `${engine.prefix}.1.1` }));
    plugin.answers.set(method, answer());
    expect(await refused('network', 'connect', 'net', 'runs')).toMatch(says);
    expect([...plugin.held].sort()).toEqual([...before].sort());
    expect(await ok('exec', 'runs', 'ls', '/sys/class/net')).toBe('eth0\nlo');
    plugin.answers.clear();
    await ok('network', 'connect', 'net', 'runs');
    expect(await ok('exec', 'runs', 'ls', '/sys/class/net')).toBe('eth0\neth1\neth2\nlo');
    await ok('rm', '-f', 'runs');
    await ok('network', 'rm', 'inside');
    await nothingLeft(before);
  });
});

describe('the creation of a network', () => {
  const creations: Case[] = [
    { what: 'is refused', method: 'IpamDriver.RequestPool', answer: () => 'no luck', says: /RequestPool: no luck/ },
    {
      what: 'answers garbage',
      method: 'IpamDriver.RequestPool',
      answer: () => usual('IpamDriver.RequestPool', { Pool: '10.0.0.0' }),
      says: /no address with a prefix length/,
    },
    {
      what: 'answers another family',
      method: 'IpamDriver.RequestPool',
      answer: () => usual('IpamDriver.RequestPool', { Pool: 'fd00::/64' }),
      says: /wrong family/,
    },
    {
      what: 'is refused',
      method: 'IpamDriver.RequestAddress',
      answer: () => 'no luck',
      says: /failed to allocate gateway \(\): .*no luck/,
    },
    {
      what: 'refuses an auxiliary address',
      method: 'IpamDriver.RequestAddress',
      answer: () => async (body) => (body.Address ? 'no luck' : await plugin.usual('IpamDriver.RequestAddress', body)),
      says: /failed to allocate secondary ip address \(a:.*no luck/,
    },
    {
      what: 'is refused',
      method: 'NetworkDriver.CreateNetwork',
      answer: () => 'no luck',
      says: /CreateNetwork: no luck/,
    },
    {
      what: 'answers something else',
      method: 'NetworkDriver.CreateNetwork',
      answer: () => async (body) => {
        await plugin.usual('NetworkDriver.CreateNetwork', body);
        return { Err: 5 };
      },
      says: /answered NetworkDriver\.CreateNetwork in a shape/,
    },
  ];
  test.each(creations)('$method $what', async ({ method, answer, says }) => {
    const before = new Set(plugin.held);
    const create = ['network', 'create', '-d', tag, '--ipam-driver', tag, '--subnet', subnet(2)];
    create.push('--aux-address', `a=${engine.prefix}.2.9`, 'other');
    plugin.answers.set(method, answer());
    expect(await refused(...create)).toMatch(says);
    await nothingLeft(before);
    plugin.answers.clear();
    await ok(...create);
    await ok('network', 'rm', 'other');
    await nothingLeft(before);
  });
});

async function nothingLeft(held: ReadonlySet<string>): Promise<void> {
  await expect.poll(() => [...plugin.held].sort()).toEqual([...held].sort());
  await expect.poll(() => [...interfaceNames()].filter((name) => name.startsWith(tag))).toEqual([]);
  await expect.poll(() => namespaces()).toEqual([]);
}

function namespaces(): string[] {
  try {
    return readdirSync(join(engine.execRoot, 'netns'));
  } catch {
    // It is made with the first one.
    return [];
  }
}
