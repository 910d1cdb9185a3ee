import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { ScriptedNetworkPlugin } from './support/scripted-network.js';

/** Drivers of global scope: what they are asked for all hosts, and what they are told of the hosts. */
let engine: Engine;
let plugin: ScriptedNetworkPlugin;
let directory: string;
let list: string;
let names = 0;
let tag: string;

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-nodes-');
  list = join(directory, 'nodes');
  writeFileSync(list, '192.0.2.1\n192.0.2.2\n');
  engine = await startEngine({ flags: ['--node-address', '192.0.2.1', '--node-list', list] });
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});
beforeEach(() => {
  // Another one each time, which the engine knows nothing of.
  tag = `gl${process.pid % 1000}${String.fromCharCode(97 + names++)}`;
  const { prefix, pluginDirectory, pid } = engine;
  plugin = new ScriptedNetworkPlugin(join(pluginDirectory, `${tag}.sock`), tag, prefix, pid);
});
afterEach(async () => {
  plugin.answers.clear();
  plugin.goOn();
  await removeAll(engine);
  await ok('network', 'prune', '-f');
  expect(await engine.docker('network', 'ls', '-q', '--filter', `driver=${tag}`)).toMatchObject({ stdout: '' });
  await expect.poll(() => [...plugin.held]).toEqual([]);
  await plugin[Symbol.asyncDispose]();
});
const { ok, refused } = clientOf(() => engine);

const declares = (more: Record<string, unknown>) =>
  plugin.answers.set('NetworkDriver.GetCapabilities', { Scope: 'global', ...more });
const create = (name: string) => ['network', 'create', '-d', tag, '--ipam-driver', tag, '-o', 'colour=red', name];
const bodies = (method: string) => plugin.calls.filter((call) => call.method === method).map(({ body }) => body);
const order = () =>
  plugin.calls.map(({ method }) => method.replace(/^\w+\./, '')).filter((method) => /^(?!Get|Act|Disc)/.test(method));

describe('a network of a driver that reserves for all hosts', () => {
  beforeEach(() => declares({ AllocatesNetworks: true }));

  test('is reserved before it is made, and freed after it is deleted', async () => {
    const id = await ok(...create('wide'));
    const data = {
      IPv4Data: [{ AddressSpace: 'global-space', Pool: `${engine.prefix}.0.0/24`, Gateway: expect.any(String) }],
    };
    expect(bodies('NetworkDriver.AllocateNetwork')).toEqual([
      { NetworkID: id, Options: { colour: 'red', 'io.cleat.network.name': 'wide' }, ...data, IPv6Data: [] },
    ]);
    const options = expect.objectContaining({ 'com.docker.network.generic': { colour: 'red', segment: '4097' } });
    expect(bodies('NetworkDriver.CreateNetwork')).toEqual([{ NetworkID: id, Options: options, ...data, IPv6Data: [] }]);
    const shown = JSON.parse((await engine.api('GET', '/v1.52/networks/wide')).body);
    expect(shown).toMatchObject({
      Scope: 'global',
      Options: { colour: 'red' },
      Status: { Allocation: { segment: '4097' } },
    });
    expect(Object.keys(shown.Options)).toEqual(['colour']);
    await ok('run', '--rm', '--network', 'wide', 'busybox', 'true');
    plugin.taken();
    await ok('network', 'rm', 'wide');
    expect(order()).toEqual(['ReleaseAddress', 'ReleasePool', 'DeleteNetwork', 'FreeNetwork']);
  });

  test('is made again with what was reserved by a driver that lost it', async () => {
    await ok(...create('wide'));
    plugin.answers.set('NetworkDriver.CreateEndpoint', (body) =>
      bodies('NetworkDriver.CreateNetwork').length > 1
        ? plugin.usual('NetworkDriver.CreateEndpoint', body)
        : 'no such network',
    );
    await ok('run', '--rm', '--network', 'wide', 'busybox', 'true');
    const [first, again] = bodies('NetworkDriver.CreateNetwork');
    expect(again).toEqual(first);
    expect(bodies('NetworkDriver.AllocateNetwork')).toHaveLength(1);
  });

  test.each([
    { method: 'AllocateNetwork', answer: 'no luck', says: /AllocateNetwork: no luck/, frees: false },
    { method: 'AllocateNetwork', answer: { Options: { n: 7 } }, says: /AllocateNetwork in a shape/, frees: true },
    {
      method: 'AllocateNetwork',
      answer: { Options: { much: 'x'.repeat(20_000) } },
      says: /AllocateNetwork with options of 20011 bytes, of which at most 16384 are kept/,
      frees: true,
    },
    { method: 'CreateNetwork', answer: 'no luck', says: /CreateNetwork: no luck/, frees: true },
  ])('$method fails: $says', async ({ method, answer, says, frees }) => {
    plugin.answers.set(`NetworkDriver.${method}`, answer);
    expect(await refused(...create('wide'))).toMatch(says);
    expect(order().includes('FreeNetwork')).toBe(frees);
    expect(order()).not.toContain('DeleteNetwork');
    await expect.poll(() => [...plugin.held]).toEqual([]);
    plugin.answers.delete(`NetworkDriver.${method}`);
    await ok(...create('wide'));
  });

  test('a driver that is gone meanwhile frees it when it is back', async () => {
    await ok(...create('wide'));
    plugin.answers.set('NetworkDriver.FreeNetwork', 'the store is away');
    await ok('network', 'rm', 'wide');
    expect([...plugin.held]).toEqual([expect.stringMatching(/^allocation /)]);
    plugin.answers.delete('NetworkDriver.FreeNetwork');
    await expect.poll(() => [...plugin.held]).toEqual([]);
  });

  test.each(['AllocateNetwork', 'CreateNetwork'])('an engine that is killed in %s frees it', async (method) => {
    plugin.silent.add(`NetworkDriver.${method}`);
    const asking = engine.docker(...create('wide'));
    await expect.poll(order).toContain(method);
    await engine.kill('SIGKILL');
    await asking;
    // The driver does what it was asked; nobody hears it.
    await plugin.usual(`NetworkDriver.${method}`, bodies(`NetworkDriver.${method}`)[0] as Record<string, unknown>);
    plugin.silent.clear();
    plugin.taken();
    await engine.restart();
    await expect.poll(() => order().at(-1)).toBe('FreeNetwork');
    await expect.poll(() => [...plugin.held]).toEqual([]);
    expect(await ok('network', 'ls', '-q', '--filter', 'name=wide')).toBe('');
  });
});

test('a driver that did not ask for it sees no difference', async () => {
  declares({});
  await ok(...create('wide'));
  await ok('run', '--rm', '--name', 'one', '--network', 'wide', 'busybox', 'true');
  await ok('network', 'rm', 'wide');
  expect(order()).not.toContain('AllocateNetwork');
  expect(order()).not.toContain('FreeNetwork');
  expect(JSON.stringify(bodies('NetworkDriver.CreateEndpoint'))).not.toContain('one');
  expect(await refused('network', 'create', '--scope', 'local', '-d', tag, 'near')).toContain(
    `cannot downgrade network scope for ${tag} networks`,
  );
});

test('a driver that asks for it is told the names of containers', async () => {
  declares({ KnowsEndpointNames: true });
  await ok(...create('wide'));
  await ok('run', '--rm', '--name', 'one', '--network', 'wide', 'busybox', 'true');
  const options = expect.objectContaining({ 'com.docker.network.endpoint.name': 'one' });
  expect(bodies('NetworkDriver.CreateEndpoint')).toEqual([expect.objectContaining({ Options: options })]);
});

test('a driver of global scope hears of the nodes, one of local scope does not', async () => {
  const news = () =>
    plugin.calls
      .filter(({ method }) => method.includes('Discover'))
      .map(({ method, body }) => `${method.slice('NetworkDriver.Discover'.length)} ${JSON.stringify(body)}`);
  const node = (what: string, Address: string, BindAddress: string, Self: boolean) =>
    `${what} ${JSON.stringify({ DiscoveryType: 1, DiscoveryData: { Address, BindAddress, Self } })}`;
  declares({});
  await ok(...create('wide'));
  const both = [node('New', '192.0.2.1', '192.0.2.1', true), node('New', '192.0.2.2', '', false)];
  await expect.poll(news).toEqual(both);
  writeFileSync(`${list}.new`, '192.0.2.3\n');
  renameSync(`${list}.new`, list);
  const change = [node('Delete', '192.0.2.2', '', false), node('New', '192.0.2.3', '', false)];
  await expect.poll(news).toEqual([...both, ...change]);
  await ok('network', 'rm', 'wide');
  declares({ ConnectivityScope: 'local' });
  plugin.taken();
  await engine.kill('SIGTERM');
  await engine.restart();
  await ok(...create('wide'));
  expect(news()).toEqual([]);
});
