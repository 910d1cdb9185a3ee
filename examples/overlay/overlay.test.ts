import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { interfaceNames } from '@cleat/linux/net/facts';
import { ipamOption } from '@cleat/protocol/kinds/ipam';
import { netlabel } from '@cleat/protocol/kinds/network';
import { ipamKind, networkKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeEtcd } from './etcd/fake-etcd.fixture.js';
import { LinkNamespace } from './host/link-namespace.js';
import overlay from './overlay.js';

let root: string;
let etcd: FakeEtcd;
let namespace: LinkNamespace;
/** The names of links of this run alone. */
const prefix = `w${randomBytes(1).toString('hex')}`;
const ours = async () =>
  [...interfaceNames(), ...(await namespace.names())].filter((name) => name.startsWith(prefix)).sort();
/** A command among the links of the networks. */
const inside = async (command: string, ...args: string[]) => (await namespace.command(command, args)).stdout;
beforeEach(async () => {
  root = mkdtempSync('/tmp/cleat-overlay-');
  namespace = new LinkNamespace(join(root, 'netns'));
  etcd = await FakeEtcd.start();
});
afterEach(async () => {
  await namespace.removeLinks(...(await ours()));
  namespace.remove();
  await etcd[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

describe.each(['in-process', 'socket'] as const)('overlay, %s', (carrier) => {
  const options = () => ({ address: '127.0.0.1', etcd: etcd.url, root, prefix, 'vxlan-port': '14789' });
  const start = () => startForTest(overlay, { name: 'overlay', carrier, options: options() });
  const NetworkID = randomBytes(32).toString('hex');
  const EndpointID = randomBytes(32).toString('hex');
  const ids = { NetworkID, EndpointID };
  const told = {
    [ipamOption.holder]: NetworkID,
    [ipamOption.network]: JSON.stringify({ Name: 'shop', Driver: 'overlay', Options: {} }),
  };
  const requestPool = { AddressSpace: 'overlay', Pool: '10.9.0.0/24', SubPool: '', Options: told, V6: false };
  const holder = { [ipamOption.holder]: EndpointID, [ipamOption.endpointName]: 'web' };

  test('a network, a container, and a neighbour on another host; all of it outlives the plugin', async () => {
    let PoolID = '';
    {
      await using plugin = await start();
      const [driver, ipam] = [plugin.client(networkKind), plugin.client(ipamKind)];
      const pool = await ipam.RequestPool(requestPool);
      PoolID = pool.PoolID;
      expect(pool).toMatchObject({ PoolID: 'shop/10.9.0.0/24', Pool: '10.9.0.0/24' });
      const IPv4Data = [{ Pool: pool.Pool }];
      await driver.CreateNetwork({ NetworkID, Options: {}, IPv4Data, IPv6Data: [] });
      const { Address } = await ipam.RequestAddress({ PoolID, Address: '', Options: holder });
      expect(Address).toBe('10.9.0.2/24');
      const named = { [netlabel.endpointNames]: ['web', 'shop'] };
      const created = await driver.CreateEndpoint({ ...ids, Interface: { Address }, Options: named });
      expect(created).toEqual({ Interface: { MacAddress: '02:42:0a:09:00:02' } });
      for (const _ of ['once', 'again']) {
        const { InterfaceName } = await driver.Join({ ...ids, SandboxKey: '/s', Options: {} });
        expect(InterfaceName).toEqual({ SrcName: `${prefix}${EndpointID.slice(0, 9)}i`, DstPrefix: 'eth' });
      }
      expect((await ours()).length).toBe(4);
      const claim = () => JSON.parse(etcd.get('/cleat/overlay/addresses/shop/10.9.0.2') ?? '{}') as object;
      expect(claim()).toMatchObject({ container: 'web', names: ['web', 'shop'] });
      await driver.RenameEndpoint({ ...ids, Names: ['new', 'shop'] });
      expect(claim()).toMatchObject({ names: ['new', 'shop'] });
    }
    // It was killed before its last step, and another host speaks while it is away.
    const tunnel = `${prefix}x-${NetworkID.slice(0, 9)}`;
    await inside('ip', 'link', 'set', 'dev', tunnel, 'nomaster', 'down');
    etcd.put('/cleat/overlay/hosts/other', '{"name":"other","address":"192.0.2.7"}');
    const mac = '02:42:0a:09:00:03';
    await inside('bridge', 'fdb', 'add', mac, 'dev', tunnel, 'dst', '192.0.2.7', 'self', 'permanent');
    etcd.put(
      '/cleat/overlay/addresses/shop/10.9.0.3',
      JSON.stringify({ host: 'other', holder: 'x', container: 'db', mac, names: ['db', 'store'] }),
    );
    {
      await using plugin = await start();
      const [driver, ipam] = [plugin.client(networkKind), plugin.client(ipamKind)];
      const [link = ''] = (await ours()).filter((name) => name.startsWith(`${prefix}x-`));
      const fdb = () => inside('bridge', 'fdb', 'show', 'dev', link);
      await expect.poll(fdb).toMatch(new RegExp(`${mac} master .*static`));
      expect(await fdb()).toMatch(new RegExp(`${mac} dst 192.0.2.7 .*self permanent`));
      const [bridge = ''] = (await ours()).filter((name) => name.startsWith(`${prefix}-`));
      expect(await inside('ip', 'link', 'show', 'dev', link)).toMatch(new RegExp(`[<,]UP,.* master ${bridge} `));
      // Somebody removes the link.
      await inside('ip', 'link', 'delete', 'dev', link);
      await expect.poll(fdb, { timeout: 10_000 }).toMatch(new RegExp(`${mac} master ${bridge} static`));
      expect(await fdb()).toMatch(new RegExp(`${mac} dst 192.0.2.7 `));
      const watch = new AbortController();
      const lines = await driver.WatchNames({ NetworkID }, { signal: watch.signal });
      let heard = '';
      const reading = (async () => {
        for await (const bytes of lines) heard += Buffer.from(bytes).toString();
      })().catch(() => {}); // It is ended below.
      await expect.poll(() => heard).toBe('{"Endpoints":[{"Names":["db","store"],"Addresses":["10.9.0.3"]}]}\n');
      etcd.remove('/cleat/overlay/addresses/shop/10.9.0.3');
      await expect.poll(() => heard).toContain('{"Endpoints":[]}\n');
      watch.abort();
      await reading;
      await expect.poll(fdb).not.toContain(mac);
      await driver.Leave(ids);
      await driver.DeleteEndpoint(ids);
      await ipam.ReleaseAddress({ PoolID, Address: '', Options: holder });
      await driver.DeleteNetwork({ NetworkID });
      await driver.DeleteNetwork({ NetworkID });
      await ipam.ReleasePool({ PoolID });
      expect(await ours()).toEqual([]);
      expect(readdirSync(root)).not.toContain('netns');
    }
    expect(etcd.keys).toEqual(['/cleat/overlay/hosts/other', '/cleat/overlay/networks']);
    expect(etcd.get('/cleat/overlay/networks')).toBe('{}');
  });

  test('a refusal says what to do, and leaves nothing', async () => {
    await using plugin = await start();
    const [driver, ipam] = [plugin.client(networkKind), plugin.client(ipamKind)];
    const { PoolID, Pool } = await ipam.RequestPool(requestPool);
    const create = (options: Record<string, string>, pool = Pool) =>
      driver.CreateNetwork({
        NetworkID,
        Options: { [netlabel.generic]: options },
        IPv4Data: [{ Pool: pool }],
        IPv6Data: [],
      });
    await expect(create({ colour: 'red' })).rejects.toThrow('-o colour is not known');
    await expect(create({ encrypted: 'perhaps' })).rejects.toThrow('true or false');
    await expect(create({}, '172.18.0.0/16')).rejects.toThrow('--ipam-driver overlay');
    expect(await ours()).toEqual([]);
    await create({});
    const endpoint = (Interface: object) => driver.CreateEndpoint({ ...ids, Interface, Options: {} });
    await expect(endpoint({ Address: '10.9.0.9/24' })).rejects.toThrow('--ipam-driver overlay, and 10.9.0.9 is none');
    const { Address } = await ipam.RequestAddress({ PoolID, Address: '', Options: holder });
    await expect(endpoint({ Address, MacAddress: '02:00:00:00:00:01' })).rejects.toThrow('leave out 02:00:00:00:00:01');
    etcd.isAway = true;
    await expect(create({})).rejects.toThrow('etcd does not answer');
    etcd.isAway = false;
    expect((await ours()).length).toBe(2);
    await expect(driver.RenameEndpoint({ ...ids, Names: ['x'] })).rejects.toThrow('not found');
    await expect(driver.WatchNames({ NetworkID: EndpointID })).rejects.toThrow('not found');
    await expect(driver.Join({ ...ids, SandboxKey: '/s', Options: {} })).rejects.toThrow('not found');
    await expect(ipam.RequestPool({ ...requestPool, Options: { colour: 'red' } })).rejects.toThrow(
      'there is only name',
    );
    await expect(ipam.RequestAddress({ PoolID: 'x', Address: '', Options: {} })).rejects.toThrow('no address pool x');
    await driver.DeleteNetwork({ NetworkID });
    expect(await ours()).toEqual([]);
  });

  test('an engine that does not say for whom it asks: the address that a user chose is the container’s', async () => {
    await using plugin = await start();
    const [driver, ipam] = [plugin.client(networkKind), plugin.client(ipamKind)];
    const { PoolID, Pool } = await ipam.RequestPool({ ...requestPool, Options: null });
    const address = { PoolID, Address: '10.9.0.77', Options: null };
    await driver.CreateNetwork({ NetworkID, Options: {}, IPv4Data: [{ Pool }], IPv6Data: [] });
    await ipam.RequestAddress(address);
    await expect(ipam.RequestAddress(address)).rejects.toThrow('already in use');
    const endpoint = { Interface: { Address: '10.9.0.77/24' }, Options: {} };
    await driver.CreateEndpoint({ ...ids, ...endpoint });
    const claim = `/cleat/overlay/addresses/${encodeURIComponent('10.9.0.0/24')}/10.9.0.77`;
    expect(etcd.get(claim)).toContain('"mac":"02:42:0a:09:00:4d"');
    expect(etcd.get('/cleat/overlay/networks')).toContain('"aux":{}');
    await expect(ipam.RequestAddress(address)).rejects.toThrow('already in use');
    await driver.DeleteEndpoint(ids);
    await ipam.ReleaseAddress({ PoolID, Address: '10.9.0.77' });
    expect(etcd.get(claim)).toBeUndefined();
    await driver.DeleteNetwork({ NetworkID });
    await ipam.ReleasePool({ PoolID });
    expect(etcd.get('/cleat/overlay/networks')).toBe('{}');
  });

  test('options that cannot be meant are refused', async () => {
    for (const [odd, said] of [
      [{ prefix: 'overlay' }, '--prefix overlay: a small letter'],
      [{ 'vxlan-port': '65535' }, 'a whole number from 1 to 65534'],
      [{ etcd: 'etcd:2379' }, 'URLs such as http'],
      [{ address: 'here' }, 'here'],
    ] as const) {
      const settings = { name: 'overlay', carrier, options: { ...options(), ...odd } } as const;
      await expect(startForTest(overlay, settings)).rejects.toThrow(said);
    }
  });

  test('gateways and auxiliary addresses are those of all hosts, and no container’s', async () => {
    await using plugin = await start();
    const ipam = plugin.client(ipamKind);
    const { PoolID } = await ipam.RequestPool(requestPool);
    const gateway = { [ipamOption.requestAddressType]: ipamOption.gatewayType };
    expect(await ipam.RequestAddress({ PoolID, Address: '', Options: gateway })).toMatchObject({
      Address: '10.9.0.1/24',
    });
    // Once more is as on another host. The engine says of what is the network's own that it is for the network.
    const own = { [ipamOption.holder]: NetworkID };
    for (const Options of [own, own]) await ipam.RequestAddress({ PoolID, Address: '10.9.0.2', Options });
    expect(await ipam.RequestAddress({ PoolID, Address: '', Options: holder })).toMatchObject({
      Address: '10.9.0.3/24',
    });
    await expect(ipam.RequestAddress({ PoolID, Address: '10.9.0.3', Options: own })).rejects.toThrow('already in use');
    await ipam.ReleaseAddress({ PoolID, Address: '10.9.0.2' });
    expect(etcd.get('/cleat/overlay/networks')).toContain('"aux":{}');
    // An engine that was killed does not know what it had.
    await ipam.ReleasePool({ PoolID: '', Options: { [ipamOption.holder]: NetworkID } });
    expect(etcd.get('/cleat/overlay/networks')).toBe('{}');
  });
});
