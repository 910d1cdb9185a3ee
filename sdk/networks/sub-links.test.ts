import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SubLinkDriver, type SubLinkHost, type SubLinkType } from '../networks.js';

/** A host of names, which notes what is done to it. */
class NotedHost implements SubLinkHost {
  readonly links = new Set(['eth0']);
  readonly done: string[] = [];
  lacks = '';
  exists = (name: string) => this.links.has(name);
  macOf = async (name: string) => (this.links.has(name) ? '02:00:00:00:00:01' : '');
  async makeVlan(name: string, master: string, id: number) {
    this.#make(name, `vlan ${id} of ${master}`);
  }
  async makeIsolated(name: string) {
    this.#make(name, 'isolated');
  }
  async removeParent(name: string) {
    this.#drop(name, 'parent');
  }
  async remove(name: string) {
    this.#drop(name, 'link');
  }
  async require(type: string) {
    if (this.lacks === type) throw new Error(`no ${type}`);
  }
  async add(link: Parameters<SubLinkHost['add']>[0]) {
    const { name: _, ...rest } = link;
    this.done.push(`add ${JSON.stringify(rest)}`);
    if (link.pid === 0) this.links.add(link.name);
  }
  #make(name: string, how: string): void {
    this.links.add(name);
    this.done.push(`make ${name}: ${how}`);
  }
  #drop(name: string, what: string): void {
    if (this.links.delete(name)) this.done.push(`remove ${what} ${name.startsWith('veth') ? 'veth' : name}`);
  }
}

const type: SubLinkType = {
  name: 'ipvlan',
  parentPrefix: 'di-',
  hasOwnMac: false,
  read: ({ mode = 'l2' }) => ({ mode, flag: 'bridge' }),
  refuseSharing: ({ mode }) => {
    if (mode === 'alone') throw new Error('shared');
  },
  linkType: ({ mode, flag }) => `ipvlan mode ${mode} ${flag}`,
  takesParentMac: () => false,
  isRouted: ({ mode }) => mode === 'l3',
};

const context = { signal: new AbortController().signal };
let stateDir: string;
let host: NotedHost;
let driver: SubLinkDriver;
const open = (kind = type) => new SubLinkDriver({ type: kind, host, stateDir, log: silentLogger });

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'cleat-sub-links-'));
  host = new NotedHost();
  driver = open();
});
afterEach(() => {
  driver.close();
  rmSync(stateDir, { recursive: true });
});

const create = async (NetworkID: string, options: Record<string, string>, more: Record<string, unknown> = {}) =>
  driver.handlers().CreateNetwork(
    {
      NetworkID,
      Options: { 'com.docker.network.generic': options, 'com.docker.network.enable_ipv4': true, ...more },
      IPv4Data: [{ Pool: '10.1.0.0/24', Gateway: '10.1.0.1/24' }, { Pool: '10.2.0.0/24' }],
      IPv6Data: [{ Pool: 'fd00:1::/64', Gateway: 'fd00:1::1/64' }],
    },
    context,
  );
const remove = async (NetworkID: string) => driver.handlers().DeleteNetwork({ NetworkID }, context);
async function joined(NetworkID: string, Address: string, pid = 0, AddressIPv6 = '') {
  const ids = { NetworkID, EndpointID: 'e' };
  await driver.handlers().CreateEndpoint({ ...ids, Interface: { Address, AddressIPv6 }, Options: {} }, context);
  const Options = { 'io.cleat.sandbox.pid': pid };
  const answer = await driver.handlers().Join({ ...ids, SandboxKey: '/s', Options }, context);
  await driver.handlers().DeleteEndpoint(ids, context);
  return answer;
}

test('the interface is made where the sandbox is, and leads to the gateway of its own subnet', async () => {
  await create('n', { parent: 'eth0', 'com.docker.network.driver.mtu': '1400' });
  expect(await joined('n', '10.1.0.9/24', 77, 'fd00:1::9/64')).toEqual({
    InterfaceName: { SrcName: expect.stringMatching(/^veth[0-9a-f]{7}$/), DstPrefix: 'eth', InSandbox: true },
    Gateway: '10.1.0.1',
    GatewayIPv6: 'fd00:1::1',
    DisableGatewayService: true,
  });
  expect(await joined('n', '10.2.0.9/24')).toMatchObject({ Gateway: '', GatewayIPv6: '' });
  await expect(joined('n', '10.3.0.9/24')).rejects.toThrow('could not find a valid ipv4 subnet');
  const made = { parent: 'eth0', type: 'ipvlan mode l2 bridge', mac: '', mtu: 1400 };
  expect(host.done.slice(0, 3)).toEqual([
    `add ${JSON.stringify({ ...made, pid: 77 })}`,
    `add ${JSON.stringify({ ...made, pid: 0 })}`,
    'remove link veth',
  ]);
});

test('a routed network has a default route to the device; an internal one has none', async () => {
  await create('n', { parent: 'eth0', mode: 'l3' });
  const connected = { RouteType: 1 };
  expect(await joined('n', '10.1.0.9/24', 0, 'fd00:1::9/64')).toMatchObject({
    StaticRoutes: [
      { Destination: '0.0.0.0/0', ...connected },
      { Destination: '::/0', ...connected },
    ],
  });
  expect(await joined('n', '10.1.0.9/24')).not.toHaveProperty('Gateway');
  await create('i', { parent: 'eth0', mode: 'l3' }, { 'com.docker.network.internal': true });
  expect(await joined('i', '10.1.0.9/24')).not.toHaveProperty('StaticRoutes');
});

test('a parent that was made goes with its last network, and comes back after a reboot', async () => {
  await create('a', { parent: 'eth0.10' });
  await create('b', { parent: 'eth0.10' });
  await create('123456789012345', {});
  expect(host.done).toEqual(['make eth0.10: vlan 10 of eth0', 'make di-123456789012: isolated']);
  await expect(create('c', { parent: 'eth0.10', mode: 'alone' })).rejects.toThrow('shared');
  driver.close();
  for (const name of ['eth0.10', 'di-123456789012']) host.links.delete(name);
  driver = open();
  await driver.restore();
  expect(host.done.slice(2)).toEqual(['make eth0.10: vlan 10 of eth0', 'make di-123456789012: isolated']);
  await remove('a');
  expect(host.links).toContain('eth0.10');
  for (const id of ['b', '123456789012345', 'unknown']) await remove(id);
  expect([...host.links]).toEqual(['eth0']);
});

test('a restart without the parent’s parent is no reason to fail: it is needed when somebody joins', async () => {
  await create('a', { parent: 'eth0.10' });
  host.links.clear();
  await driver.restore();
  await expect(joined('a', '10.1.0.9/24')).rejects.toThrow('-o parent interface was not found on the host: eth0');
  host.links.add('eth0');
  await driver.handlers().DeleteEndpoint({ NetworkID: 'a', EndpointID: 'e' }, context);
  await joined('a', '10.1.0.9/24');
  expect(host.done.at(-2)).toContain('"parent":"eth0.10"');
});

test('a kernel without such links leaves nothing behind', async () => {
  host.lacks = 'ipvlan';
  const wishes: Record<string, string>[] = [{}, { parent: 'eth0.10' }];
  for (const options of wishes) await expect(create('n', options)).rejects.toThrow('no ipvlan');
  expect([...host.links]).toEqual(['eth0']);
  host.lacks = '';
  await create('n', { parent: 'eth0' });
});

test('the same request again is no other network; another one is', async () => {
  await create('n', { parent: 'eth0' });
  await create('n', { parent: 'eth0' });
  await expect(create('n', { parent: 'eth0', mode: 'l3' })).rejects.toThrow('network n exists already');
  await driver.handlers().CreateEndpoint({ NetworkID: 'n', EndpointID: 'e', Options: {} }, context);
  await expect(remove('n')).rejects.toThrow('network n has active endpoints');
});

test('MAC addresses: none of one’s own, the parent’s, or a random one', async () => {
  const endpoint = async (kind: SubLinkType, MacAddress = '') => {
    driver.close();
    driver = open(kind);
    const ids = { NetworkID: 'n', EndpointID: 'e' };
    const answer = await driver.handlers().CreateEndpoint({ ...ids, Interface: { MacAddress }, Options: {} }, context);
    await driver.handlers().DeleteEndpoint(ids, context);
    return answer?.Interface;
  };
  await create('n', { parent: 'eth0' });
  expect(await endpoint(type)).toEqual({});
  await expect(endpoint(type, '02:42:00:00:00:05')).rejects.toThrow('do not support custom mac address assignment');
  const own = { ...type, hasOwnMac: true };
  expect(await endpoint(own)).toEqual({ MacAddress: expect.stringMatching(/^02:42(:[0-9a-f]{2}){4}$/) });
  expect(await endpoint(own, '02:42:00:00:00:05')).toEqual({});
  expect(await endpoint({ ...own, takesParentMac: () => true })).toEqual({ MacAddress: '02:00:00:00:00:01' });
});

test.each([
  [{ parent: 'eth0', 'com.docker.network.driver.mtu': '12' }, 'failed to parse com.docker.network.driver.mtu value'],
  [{ parent: 'eth0\nlink delete eth0' }, 'invalid subinterface vlan name'],
  [{ parent: 'e"h0.1' }, 'required interface name format'],
  [{ parent: 'eth0.99999' }, 'vlan id must be between 1-4094, received: 99999'],
])('%o is refused', async (options, said) => {
  await expect(create('n', options)).rejects.toThrow(said);
  expect(host.done).toEqual([]);
});
