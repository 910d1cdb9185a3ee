import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { silentLogger } from '@cleat/protocol/log';
import { startForTest } from '@cleat/sdk/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { DhcpClient } from './client.js';
import { hostClock } from './clock.js';
import { DhcpDriver } from './driver.js';
import type { Lease } from './lease.js';
import { Leases } from './leases.js';
import module from './main.js';
import { linkOf } from './network-options.js';
import { dhcpOptions } from './options.js';
import { FakeServer } from './server.fixture.js';
import { messageType, option } from './wire/message.js';

test.each(['in-process', 'socket'] as const)('ipam-dhcp, %s: says what it cannot do', async (carrier) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cleat-dhcp-'));
  try {
    await using extension = await startForTest(module, { name: 'dhcp', carrier, options: { stateDir } });
    const driver = extension.client(ipamKind);
    expect(await driver.GetCapabilities({})).toMatchObject({ RequiresMACAddress: true, KnowsHolders: true });
    const request = { AddressSpace: 'dhcp', Pool: '', SubPool: '', Options: { parent: 'nowhere0' }, V6: false };
    await expect(driver.RequestPool(request)).rejects.toThrow('there is no interface nowhere0 on this host');
    await expect(driver.RequestPool({ ...request, Options: { parent: 'lo' } })).rejects.toThrow('lo is no Ethernet');
    await expect(driver.RequestPool({ ...request, V6: true })).rejects.toThrow('leave out --ipv6');
    await expect(driver.RequestPool({ ...request, SubPool: '10.0.0.0/24' })).rejects.toThrow('leave out --ip-range');
    await driver.ReleasePool({ PoolID: 'dhcp/nowhere0/10.0.0.0/24' });
  } finally {
    rmSync(stateDir, { recursive: true });
  }
});

describe('with a server', () => {
  const context = { signal: new AbortController().signal };
  const PoolID = 'dhcp/eth0/10.1.2.0/24';
  let server: FakeServer;
  let state: Map<string, Lease>;
  let driver: DhcpDriver;
  const calls = () => driver.handlers();
  beforeEach(() => {
    server = new FakeServer();
    state = new Map();
    const clock = hostClock();
    const client = new DhcpClient(server.openPort);
    const leases = new Leases(state, client, clock, silentLogger);
    driver = new DhcpDriver({ client, leases, clock, answerMs: 5_000, log: silentLogger });
    return () => leases.close();
  });
  const pool = async (Pool = '', Options: Record<string, string> = { parent: 'eth0' }) =>
    await calls().RequestPool({ AddressSpace: 'dhcp', Pool, SubPool: '', Options, V6: false }, context);
  const macOf = (number: number) => `02:42:00:00:00:${number.toString(16).padStart(2, '0')}`;
  const take = async (number: number, Address = '', more: Record<string, string> = {}, signal = context.signal) => {
    const Options = { 'com.docker.network.endpoint.macaddress': macOf(number), ...more };
    return (await calls().RequestAddress({ PoolID, Address, Options }, { signal }))?.Address;
  };
  const holder = (name: string) => ({ 'io.cleat.ipam.holder': name });

  test('a network’s subnet and gateway are the server’s, and its offer is given back', async () => {
    const found = { PoolID, Pool: '10.1.2.0/24', Data: { 'com.docker.network.gateway': '10.1.2.254/24' } };
    expect(await pool()).toEqual(found);
    expect(server.heard.map((message) => message.split(' ')[0])).toEqual(['discover', 'release']);
    // For another network on the same interface; and for one whose user knows the subnet.
    const network = { Name: 'n', Driver: 'macvlan', Options: { parent: 'eth0' } };
    expect(await pool('10.1.2.0/24', { 'io.cleat.ipam.network': JSON.stringify(network) })).toEqual(found);
    server.answers = (usual) => [{ ...usual, options: { [option.router]: undefined } }];
    expect(await pool()).toMatchObject({ Data: {} });
    await calls().ReleasePool({ PoolID }, context);
    await expect(pool('10.1.3.0/24')).rejects.toThrow(
      'the DHCP server 10.1.2.1 on eth0 is for 10.1.2.0/24, not for 10.1.3.0/24',
    );
  });

  test('each container has a lease by its MAC address and name, until it is released', async () => {
    const named = { 'com.docker.network.endpoint.name': 'my_web.1' };
    expect(await take(1, '', { ...named, ...holder('a') })).toBe('10.1.2.50/24');
    expect(await take(2, '10.1.2.77', { ...named, 'io.cleat.ipam.host-name': 'printer' })).toBe('10.1.2.77/24');
    expect([...server.names]).toEqual([
      [macOf(1), 'my-web-1'],
      [macOf(2), 'printer'],
    ]);
    expect([...state.values()].map(({ address, holder: of }) => `${address} ${of}`)).toEqual([
      ...['10.1.2.50 a', '10.1.2.77 '],
    ]);
    // The engine did not hear the answer, and asks again.
    expect(await take(1, '', holder('a'))).toBe('10.1.2.50/24');
    await expect(take(1, '', holder('b'))).rejects.toThrow(`${macOf(1)} has the address 10.1.2.50 already`);
    await expect(take(3, '10.1.2.77')).rejects.toThrow('Address already in use');
    server.answers = (usual) => [{ ...usual, address: '10.1.2.60' }];
    await expect(take(3, '10.1.2.78')).rejects.toThrow('the DHCP server 10.1.2.1 offers 10.1.2.60, and not 10.1.2.78');
    expect(server.heard.at(-1)).toBe(`release 10.1.2.60 ${macOf(3)}`);
    await calls().ReleaseAddress({ PoolID, Address: '10.1.2.77' }, context);
    await calls().ReleaseAddress({ PoolID, Address: '10.1.2.77' }, context);
    await calls().ReleaseAddress({ PoolID, Address: '', Options: holder('a') }, context);
    expect(state.size).toBe(0);
    expect(server.heard.slice(-2)).toEqual([`release 10.1.2.77 ${macOf(2)}`, `release 10.1.2.50 ${macOf(1)}`]);
    await expect(async () => calls().ReleaseAddress({ PoolID, Address: '' }, context)).rejects.toThrow(
      'nor its holder',
    );
  });

  test('gateways and auxiliary addresses are nobody’s lease', async () => {
    const gateway = { RequestAddressType: 'com.docker.network.gateway' };
    const ask = async (Address: string, Options: Record<string, string> | null) =>
      (await calls().RequestAddress({ PoolID, Address, Options }, context))?.Address;
    expect(await ask('10.1.2.9', gateway)).toBe('10.1.2.9/24');
    expect(await ask('', gateway)).toBe('10.1.2.254/24');
    expect(await ask('10.1.2.8', null)).toBe('10.1.2.8/24');
    await expect(ask('', null)).rejects.toThrow('must be told a MAC address');
    await expect(ask('10.1.3.8', null)).rejects.toThrow('requested address is out of range');
    server.answers = (usual) => [{ ...usual, options: { [option.router]: undefined } }];
    await expect(ask('', gateway)).rejects.toThrow('the DHCP server 10.1.2.1 names no router: give --gateway');
    expect(state.size).toBe(0);
  });

  test('a server that offers and then refuses is asked again, a few times', async () => {
    let naks = 2;
    server.answers = (usual) =>
      usual.type === messageType.ack && naks-- > 0 ? [{ type: messageType.nak, address: '0.0.0.0' }] : [usual];
    expect(await take(1)).toBe('10.1.2.50/24');
    naks = 3;
    await expect(take(2)).rejects.toThrow('server 10.1.2.1 offered 10.1.2.51 and then refused it');
  });

  test('a server that gives one address to two is not believed', async () => {
    expect(await take(1)).toBe('10.1.2.50/24');
    server.answers = (usual) => [{ ...usual, address: '10.1.2.50' }, usual];
    expect(await take(2)).toBe('10.1.2.51/24');
    // Both at once are offered the same.
    server.answers = (usual) => [
      { ...usual, type: usual.type === messageType.nak ? 5 : usual.type, address: '10.1.2.60' },
    ];
    const both = await Promise.allSettled([take(3), take(4)]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(both[1]).toMatchObject({
      reason: { message: `server 10.1.2.1: the address 10.1.2.60, which ${macOf(3)} has` },
    });
  });

  test('a caller that goes away, or releases meanwhile, leaves nothing', async () => {
    server.silent = true;
    const stop = new AbortController();
    const left = take(1, '', {}, stop.signal);
    const released = take(2, '', holder('a'));
    await expect(take(2)).rejects.toThrow('is being asked for already');
    stop.abort(new Error('left'));
    await calls().ReleaseAddress({ PoolID, Address: '', Options: holder('a') }, context);
    await expect(left).rejects.toThrow('left');
    await expect(released).rejects.toThrow('the address was released meanwhile');
    const closed = take(3);
    driver.close();
    await expect(closed).rejects.toThrow('was stopped');
    expect([state.size, server.open]).toEqual([0, 0]);
  });

  test('an unknown pool is not found', async () => {
    for (const id of ['', 'dhcp/eth0/', 'dhcp/a b/10.1.2.0/24', 'dhcp/eth0/10.1.2.0', 'default/10.1.2.0/24']) {
      const request = { PoolID: id, Address: '', Options: null };
      await expect(async () => await calls().RequestAddress(request, context)).rejects.toThrow(
        `cannot find address pool for poolID:${id}`,
      );
    }
  });
});

test('options', () => {
  const network = (driver: string, parent?: string) => ({
    'io.cleat.ipam.network': JSON.stringify({ Name: 'n', Driver: driver, Options: parent ? { parent } : {} }),
  });
  expect(linkOf({ parent: 'eth0', 'com.docker.network.ipam.serial': 'true', ...network('macvlan', 'eth1') })).toBe(
    'eth0',
  );
  expect(linkOf(network('macvlan', 'eth1'))).toBe('eth1');
  for (const none of [null, {}, network('macvlan')]) expect(() => linkOf(none)).toThrow('--ipam-opt parent=eth0');
  expect(() => linkOf({ link: 'eth0' })).toThrow('there is no option link of IPAM driver dhcp');
  expect(() => linkOf({ parent: 'a b' })).toThrow('"a b" is no interface’s name');
  expect(() => linkOf(network('ipvlan', 'eth0'))).toThrow('those of ipvlan have one in common');
  const bridge = (name?: string) => ({
    'io.cleat.ipam.network': JSON.stringify({
      ...{ Name: 'n', Driver: 'bridge' },
      Options: { parent: 'eth1', ...(name ? { 'com.docker.network.bridge.name': name } : {}) },
    }),
  });
  expect(linkOf(bridge('br0'))).toBe('br0');
  expect(linkOf({ parent: 'br0', ...bridge('br0') })).toBe('br0');
  expect(() => linkOf({ parent: 'eth0', ...bridge('br0') })).toThrow('leave out parent=eth0');
  for (const given of [{}, { parent: 'eth0' }] as Record<string, string>[]) {
    expect(() => linkOf({ ...given, ...bridge() })).toThrow('name it, -o com.docker.network.bridge.name=br0');
  }
  const read = (answerSeconds: string) => dhcpOptions({ stateDir: '/s', answerSeconds });
  expect(read('7')).toEqual({ stateDir: '/s', answerMs: 7_000 });
  for (const wrong of ['0', '51', 'x', '']) expect(() => read(wrong)).toThrow('is not from 1 to 50');
});
